import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const block = /^```(?<language>\w+)(?: (?<source>\S+))?\n(?<text>.*?)^```$/gms

/** The code blocks of a document with their language and, if they name one, their file. */
export function codeBlocks(document: string): { language: string; source: string | undefined }[] {
  return Array.from(document.matchAll(block), ({ groups }) => ({
    language: groups!.language!,
    source: groups!.source,
  })).filter(({ language }) => ['ts', 'js', 'tsx', 'jsx'].includes(language))
}

/**
 * Returns a document with current code in its blocks. A block names its source after its language: a whole file, or the part between
 * `// #region name` and `// #endregion`, as in ```ts examples/cookie.ts#app
 */
export function filled(document: string, directory: string): string {
  return document.replaceAll(block, (whole, language: string, source: string | undefined) =>
    source === undefined ? whole : `\`\`\`${language} ${source}\n${codeOf(source, directory)}\`\`\``,
  )
}

function codeOf(source: string, directory: string): string {
  const [path, region] = source.split('#') as [string, string?]
  const code = readFileSync(resolve(directory, path), 'utf8')
  if (region === undefined) return code
  const found = new RegExp(`^( *)// #region ${region}\n(.*?)^ *// #endregion$`, 'ms').exec(code)
  if (!found) throw new Error(`${path} has no region ${region}`)
  const [, indent, text] = found
  return text!.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
}
