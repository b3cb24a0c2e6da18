/** How well a leg was heard, for terminals: what came from its peer, and what its peer says of what it got. */
import type { LegMedia, MediaCount } from '@tandem/contracts/call.ts'

/** `0/1.5 %`: received, sent; – where nothing is known. */
export const lossText = (media: LegMedia | undefined): string => pair(media, (of) => of.lossPercent, 1, ' %')
/** `4.41/4.12` */
export const mosText = (media: LegMedia | undefined): string => pair(media, (of) => of.mos, 2, '')
export const roundTripText = (media: LegMedia | undefined): string =>
  media?.roundTripMs === undefined ? '' : `${number(media.roundTripMs, media.roundTripMs < 10 ? 1 : 0)} ms`

/** The worst opinion of any direction of these legs. */
export function worstMos(legs: readonly { readonly media?: LegMedia }[]): number | undefined {
  const all = legs.flatMap(({ media }) => [media?.received.mos, media?.sent.mos])
  const known = all.filter((mos) => mos !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** One line a leg: `received 0.1 % lost, 0.3 ms jitter, MOS 4.41 · sent … · round trip 41 ms`. */
export function heardLine(media: LegMedia): string {
  const roundTrip = roundTripText(media)
  const parts = [direction('received', media.received), direction('sent', media.sent)]
  return [...parts, ...(roundTrip === '' ? [] : [`round trip ${roundTrip}`])].join(' · ')
}

function direction(name: string, count: MediaCount): string {
  const { lossPercent, jitterMs, mos } = count
  const said = [
    `${count.packets} packets`,
    ...(lossPercent === undefined ? [] : [`${number(lossPercent, 1)} % lost`]),
    ...(jitterMs === undefined ? [] : [`${number(jitterMs, 1)} ms jitter`]),
    ...(mos === undefined ? [] : [`MOS ${mos.toFixed(2)}`]),
  ]
  return `${name} ${said.join(', ')}`
}

function pair(
  media: LegMedia | undefined,
  read: (of: MediaCount) => number | undefined,
  digits: number,
  unit: string,
): string {
  if (media === undefined) return ''
  const [received, sent] = [read(media.received), read(media.sent)]
  if (received === undefined && sent === undefined) return ''
  const shown = (value: number | undefined) => (value === undefined ? '–' : number(value, digits))
  return `${shown(received)}/${shown(sent)}${unit}`
}

const number = (value: number, digits: number): string => String(Number(value.toFixed(digits)))
