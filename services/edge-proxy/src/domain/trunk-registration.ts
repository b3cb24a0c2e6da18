/** When a registration with a carrier is made again (RFC 3261 10.2.4, RFC 5626 4.5). */

const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 300_000
/** A carrier that says no is not asked again and again. */
const REFUSED_RETRY_MS = 60_000

/** `expiresS` granted: again after 80 % of it, at least 5 s before its end. */
export function refreshAfterMs(expiresS: number): number {
  const ms = expiresS * 1000
  return Math.max(Math.min(ms * 0.8, ms - 5_000), ms * 0.5, 1_000)
}

export interface Failure {
  /** In a row, this one counted. */
  readonly failures: number
  /** undefined: no answer. */
  readonly status: number | undefined
  /** Retry-After, s. */
  readonly retryAfterS: number | undefined
  /** 0 to 1. */
  readonly random: number
}

/** RFC 5626 4.5: doubling, and a random 50 to 100 % of it, so that not all come back at once. */
export function retryAfterMs({ failures, status, retryAfterS, random }: Failure): number {
  if (retryAfterS !== undefined) return Math.min(Math.max(retryAfterS, 1), 3600) * 1000
  const refused = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 423
  const base = refused ? REFUSED_RETRY_MS : FIRST_RETRY_MS
  const full = Math.min(base * 2 ** Math.min(failures - 1, 16), LAST_RETRY_MS)
  return Math.round(full * (0.5 + random / 2))
}
