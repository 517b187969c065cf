/** @param sorted - In ascending order. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  const place = ((sorted.length - 1) * percent) / 100
  const below = sorted[Math.floor(place)]!
  const above = sorted[Math.ceil(place)]!
  return below + (above - below) * (place % 1)
}

/** The median of what the rounds gave, and the quartiles around it. */
export interface Summary {
  readonly median: number
  readonly low: number
  readonly high: number
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b)
  return { median: percentile(sorted, 50), low: percentile(sorted, 25), high: percentile(sorted, 75) }
}

const resamplings = 1_000

/**
 * How many times the median of one figure is of that of another, measured in the same rounds. In brackets: the quartiles of what that would be if
 * other rounds had been drawn from those there were (bootstrap). Ratios of single rounds say nothing where differences are near zero.
 */
export function ratioOfMedians(of: readonly number[], by: readonly number[]): Summary {
  const ratio = (rounds: readonly number[]): number => {
    const median = (samples: readonly number[]): number =>
      summarize(rounds.map((round) => samples[round]!)).median
    return median(of) / median(by)
  }
  const rounds = Array.from(of.keys())
  const drawn = Array.from({ length: resamplings }, () =>
    ratio(rounds.map(() => Math.floor(Math.random() * rounds.length))),
  )
  return { ...summarize(drawn), median: ratio(rounds) }
}

export function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value)
}
