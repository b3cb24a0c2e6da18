/** Instants as facts carry them (RFC 3339, UTC, ms). A call has some thirty, most of them in the second of the one before. */

let second = Number.NaN
let prefix = ''

/** `wallMs`: ms since 1970. */
export function instant(wallMs: number): string {
  const ms = Math.trunc(wallMs)
  const of = Math.floor(ms / 1000)
  if (of !== second) {
    prefix = new Date(of * 1000).toISOString().slice(0, -4)
    second = of
  }
  const rest = ms - of * 1000
  return `${prefix}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`
}
