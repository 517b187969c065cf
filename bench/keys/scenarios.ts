import { day, hour, minute, second, type Trial } from './trial.ts'

/** How long a contestant accepted a token, and its status afterwards. */
export interface Endurance {
  /** Milliseconds; undefined if it never stopped. */
  readonly until: number | undefined
  readonly status: number | undefined
}

/** The time after which a contestant is no longer watched. */
export const cap = 8 * day

/** A hundred requests at once, before any key is known. */
export async function coldStart(trial: Trial): Promise<{ fetches: number; accepted: number }> {
  const { issuer, key } = trial
  // Long enough for all requests to arrive before the first response, also on a busy machine.
  issuer.latency = 500
  const tokens = Array.from({ length: 100 }, () => issuer.token(key))
  const accepted = await Promise.all(tokens.map((token) => trial.isAccepted(token)))
  return { fetches: issuer.fetches, accepted: accepted.filter(Boolean).length }
}

/** A thousand unknown kids, fifty at a time, with a good token after every ten of them. */
export async function unknownKids(trial: Trial): Promise<{ fetches: number; accepted: number }> {
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
 * Sends one token steadily, until it is refused.
 *
 * @param companion - A token of another key, which is sent as well.
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
    // A background fetch counts for the time at which it began. After hours there are none.
    if (elapsed < 2 * hour) await trial.waitForFetches()
  }
  return { until: undefined, status: 200 }
}

/** A key is removed right after it was fetched, and its token is sent steadily. */
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

/** The time after which a replaced key is no longer watched. */
export const shortCap = 2 * hour

/** A key is replaced by a new one right after it was fetched, and tokens of both are sent steadily. */
export async function replacedKey(trial: Trial): Promise<Endurance> {
  const { issuer, key, otherKey, newKeys } = trial
  const [newKey] = newKeys
  await trial.warmUp()
  issuer.keys = [otherKey, newKey!]
  return endurance(trial, issuer.token(key), { limit: shortCap, companion: issuer.token(newKey!) })
}

/** The issuer goes down right after its keys were fetched, and a good token is sent steadily. */
export async function outage(trial: Trial): Promise<Endurance> {
  await trial.warmUp()
  await trial.issuer.goDown()
  return endurance(trial, trial.issuer.token(trial.key))
}

/** What a flood of unknown kids costs the issuer, and how long it holds up a new key. */
export interface Flood {
  readonly fetchesPerMinute: number
  /** The longest time that a new key was refused, in milliseconds; undefined if it was not accepted within `patience`. */
  readonly longest: number | undefined
}

/** The time after which a new key is no longer tried. */
export const patience = 5 * minute

/** How long a new key is refused that is published right after one unknown kid, without other traffic. In milliseconds. */
export async function afterUnknownKid(trial: Trial): Promise<number | undefined> {
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

/** Seconds from one key's first success to the next key. For most contestants: just after a fetch, or between two fetches. */
const gaps = [60, 61, 75]

/**
 * Ten unknown kids in every second. Meanwhile three keys are published one after another, and each one's token is tried once a second.
 *
 * @param isEarly - Whether a token of each key is sent one second before the key is published.
 */
export async function newKeys(trial: Trial, isEarly: boolean): Promise<Flood> {
  const { issuer } = trial
  await trial.warmUp()
  let seconds = 0
  /** One second of the flood, in which the token is sent as well. Returns whether it was accepted. */
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

/** The first request of all, while the issuer doesn't answer. */
export async function firstRequest(
  trial: Trial,
  issuer: 'hangs' | 'down',
): Promise<{ status: number | undefined; milliseconds: number }> {
  const token = trial.issuer.token(trial.key)
  if (issuer === 'hangs') trial.issuer.hangs = true
  else await trial.issuer.goDown()
  return trial.call(token)
}
