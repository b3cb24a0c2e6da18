/** The slow model of what stands in a carrier's INVITE: who calls, and which number is meant. */
import type { CallIdentity, RouteQuestion } from '@tandem/contracts/routing.ts'
import type { Enterprise } from './enterprise.ts'
import { asInCountry, isNumber, normalise, ownerOf, translated, withoutSeparators } from './slow-numbers.ts'

/** RFC 3325: what a trusted carrier asserts goes before From. A name that says nothing is replaced by one that is known. */
export function carriersCaller(
  e: Enterprise,
  name: string,
  q: RouteQuestion,
  names: Readonly<Record<string, string>>,
): CallIdentity {
  const trunk = e.trunks[name]
  const said = userOf(q.assertedIdentity) ?? withoutSeparators(q.from.number)
  const text = translated(trunk?.translate.inbound.calling, said)
  const number = asInCountry(text, trunk?.country ?? 'US') ?? text
  const { display } = q.from
  const none = display === undefined || /^[\d+\s().-]*$/.test(display)
  const shown = none && !q.privacy ? (names[number] ?? display) : display
  return { number, ...(shown === undefined ? {} : { display: shown }) }
}

const userOf = (uri: string | undefined): string | undefined => {
  const user = /^(?:sips?:([^@;]+)[^@]*@|tel:([^;]+))/.exec(uri ?? '')
  const text = user?.[1] ?? user?.[2]
  return text === undefined ? undefined : withoutSeparators(decodeURIComponent(text))
}

/** The number stands where the carrier puts it, and is mended; one that somebody redirects to stands in no header. */
export function writtenBy(e: Enterprise, q: RouteQuestion, dialled: string, name: string): string {
  if (q.redirectedBy !== undefined) return dialled
  const trunk = e.trunks[name]
  const places = { 'request-uri': undefined, to: q.toUri, 'p-called-party-id': q.calledPartyId }
  return translated(trunk?.translate.inbound.called, userOf(places[trunk?.did ?? 'request-uri']) ?? dialled)
}

/** As numbers from that carrier are written and mended (ADR 21). */
export const redirectedTo = (e: Enterprise, name: string, written: string): string =>
  numberOf(e, name, translated(e.trunks[name]?.translate.inbound.called, written)) ?? written

/** By the trunk's dial plan; as it stands; as a number of somebody without its plus or country code; as in its country. */
export function numberOf(e: Enterprise, name: string, written: string): string | undefined {
  const trunk = e.trunks[name]
  const planned = normalise(e.dialPlans[trunk?.dialPlan ?? ''], written).number
  if (trunk?.dialPlan !== undefined && isNumber(planned)) return planned
  if (isNumber(written)) return written
  const country = trunk?.country ?? 'US'
  const somebodys = [`+${written}`, `+${country === 'US' ? '1' : '44'}${written}`]
  return somebodys.find((n) => ownerOf(e, n) !== undefined) ?? asInCountry(written, country)
}
