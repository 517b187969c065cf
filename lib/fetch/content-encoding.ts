import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, type InputType, type ZlibOptions } from 'node:zlib'
import { FetchError, reasonOf } from './fetch-error.ts'

type Unpacker = (body: InputType, options: ZlibOptions) => Promise<Buffer>

const unpackers = new Map<string | undefined, Unpacker>([
  ['gzip', promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ['x-gzip', promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ['deflate', promisify<InputType, ZlibOptions, Buffer>(inflate)],
  ['br', promisify<InputType, ZlibOptions, Buffer>(brotliDecompress)],
])

/**
 * Unpacks a body. Some servers pack it although the request asks for `identity`.
 *
 * @param maxSize - Maximum number of bytes of the result.
 * @throws {FetchError}
 */
export async function unpack(body: Buffer, encoding: string | undefined, maxSize: number): Promise<Buffer> {
  const unpacker = unpackers.get(encoding?.trim().toLowerCase())
  if (!unpacker) return body
  try {
    return await unpacker(body, { maxOutputLength: maxSize })
  } catch (error) {
    const reason = reasonOf(error)
    throw new FetchError(reason === 'ERR_BUFFER_TOO_LARGE' ? `over ${maxSize} bytes` : reason)
  }
}
