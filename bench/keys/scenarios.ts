import { day, hour, minute, second, type Trial } from './trial.ts'

/** How long a contestant went on accepting a token, and what it answered then. */
export interface Endurance {
  /** Undefined where it never stopped. */
  readonly until: number | undefined
  readonly status: number | undefined
}

/** Where "for ever" begins. */
export const cap = 8 * day

/** A hundred requests at once that find no key known. */
export async function coldStart(trial: Trial): Promise<{ fetches: number; accepted: number }> {
  const { issuer, key } = trial
  // Long enough for all of them to come before the first answer, on a busy machine as well.
  issuer.latency = 500
  const tokens = Array.from({ length: 100 }, () => issuer.token(key))
  const accepted = await Promise.all(tokens.map((token) => trial.isAccepted(token)))
  return { fetches: issuer.fetches, accepted: accepted.filter(Boolean).length }
}

/** A thousand unknown kids, fifty at a time, with a good token after every ten. */
export async function strangers(trial: Trial): Promise<{ fetches: number; accepted: number }> {
  const { issuer, key } = trial
  await trial.warmUp()
  issuer.fetches = 0
  issuer.latency = 50
  const queue = Array.from({ length: 1100 }, (_, index) => index % 11 === 10)
  let accepted = 0
  const work = async (): Promise<void> => {
    for (let isGood = queue.shift(); isGood !== undefined; isGood = queue.shift()) {
      const isAccepted = await trial.isAccepted(isGood ? issuer.token(key) : issuer.bogusToken())
      if (isGood && isAccepted) accepted += 1
    }
  }
  await Promise.all(Array.from({ length: 50 }, work))
  return { fetches: issuer.fetches, accepted }
}

/**
 * Steady traffic of one token, until it is refused.
 *
 * @param companion - A token of another key that comes along.
 */
async function endurance(
  trial: Trial,
  token: string,
  { limit = cap, companion }: { limit?: number; companion?: string } = {},
): Promise<Endurance> {
  let elapsed = 0
  while (elapsed < limit) {
    const step = elapsed < 15 * minute ? second : elapsed < 2 * hour ? 10 * second : 50 * second
    elapsed += step
    if (companion !== undefined) await trial.call(companion)
    const { status } = await trial.call(token, step)
    if (status !== 200) return { until: elapsed, status }
    // Fetches in the background belong to the time at which they began. Nobody makes any after hours.
    if (elapsed < 2 * hour) await trial.settle()
  }
  return { until: undefined, status: 200 }
}

/** A key is removed right after it was fetched, and its token keeps coming. */
export async function removedKey(trial: Trial): Promise<Endurance> {
  const { issuer, key, otherKey } = trial
  const token = issuer.token(key)
  await trial.warmUp()
  issuer.keys = [otherKey]
  const result = await endurance(trial, token)
  if (result.until === undefined) return result
  for (let elapsed = 0; elapsed < minute; elapsed += second) {
    if (await trial.isAccepted(token, second)) throw new Error('a refused key was accepted again')
  }
  return result
}

/** How long a replaced key is watched. */
export const shortCap = 2 * hour

/** A key is replaced by a new one right after it was fetched, and tokens of both keep coming. */
export async function replacedKey(trial: Trial): Promise<Endurance> {
  const { issuer, key, otherKey, newKeys } = trial
  const [newKey] = newKeys
  await trial.warmUp()
  issuer.keys = [otherKey, newKey!]
  return endurance(trial, issuer.token(key), { limit: shortCap, companion: issuer.token(newKey!) })
}

/** The issuer goes down right after its keys were fetched, and a good token keeps coming. */
export async function outage(trial: Trial): Promise<Endurance> {
  await trial.warmUp()
  await trial.issuer.goDown()
  return endurance(trial, trial.issuer.token(trial.key))
}

/** What a flood does to a new key, and costs the issuer. */
export interface Flood {
  readonly fetchesPerMinute: number
  /** The longest that a new key was refused; undefined where it was not accepted for as long as anybody waited. */
  readonly longest: number | undefined
}

/** How long a new key is waited for. */
export const patience = 5 * minute

/** A new key is published right after somebody has named one that nobody has, in quiet times. Tells how long it is refused. */
export async function afterStranger(trial: Trial): Promise<number | undefined> {
  const { issuer, newKeys } = trial
  const [newKey] = newKeys
  await trial.warmUp()
  await trial.call(issuer.bogusToken(), hour)
  issuer.keys = [...issuer.keys, newKey!]
  const token = issuer.token(newKey!)
  for (let waited = 0; waited < patience; waited += second) {
    if (await trial.isAccepted(token, second)) return waited
  }
  return undefined
}

/** Seconds between one key's first success and the next key: just after a look-up of most, or somewhere between two. */
const gaps = [60, 61, 75]

/**
 * Ten unknown kids in every second. In their midst three keys are published one after another, and each one's token
 * is tried once a second.
 *
 * @param isEarly - Whether a token of each key has come a second before the key was published.
 */
export async function newKeys(trial: Trial, isEarly: boolean): Promise<Flood> {
  const { issuer } = trial
  await trial.warmUp()
  let seconds = 0
  /** One second of the flood, with a token among its ten. */
  const flood = async (token?: string): Promise<boolean> => {
    seconds += 1
    let isAccepted = false
    for (let index = 0; index < 10; index += 1) {
      await trial.call(issuer.bogusToken(), index === 0 ? second : undefined)
      if (token !== undefined && index === (seconds * 7) % 10) isAccepted = await trial.isAccepted(token)
    }
    return isAccepted
  }
  const floodFor = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) await flood()
  }
  await floodFor(60)
  issuer.fetches = 0
  await floodFor(60)
  const fetchesPerMinute = issuer.fetches
  let longest = 0
  for (const [index, key] of trial.newKeys.entries()) {
    await floodFor(gaps[index]!)
    const token = issuer.token(key)
    if (isEarly && (await flood(token))) throw new Error('an unpublished key was accepted')
    issuer.keys = [...issuer.keys, key]
    let waited = 0
    while (!(await flood(token))) {
      waited += second
      if (waited >= patience) return { fetchesPerMinute, longest: undefined }
    }
    longest = Math.max(longest, waited)
  }
  return { fetchesPerMinute, longest }
}

/** The first request of all, while the issuer gives no answer. */
export async function firstRequest(
  trial: Trial,
  issuer: 'hangs' | 'down',
): Promise<{ status: number | undefined; milliseconds: number }> {
  const token = trial.issuer.token(trial.key)
  if (issuer === 'hangs') trial.issuer.hangs = true
  else await trial.issuer.goDown()
  return trial.call(token)
}
