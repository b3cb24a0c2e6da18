/** Times as people read them in a terminal: the local zone, seconds. */
export function clock(instant: string | null | undefined): string {
  if (!instant) return ''
  const at = new Date(instant)
  const two = (n: number) => String(n).padStart(2, '0')
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return new Date().toDateString() === at.toDateString() ? time : `${day} ${time}`
}

export function seconds(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? '' : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
}
