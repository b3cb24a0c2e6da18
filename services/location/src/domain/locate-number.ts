/** From what the answering agency has, a number, to a place (location.md): DID → user → place, ELIN → site or location. */
import type { LocateAnswer, LocateQuestion } from '@tandem/contracts/location.ts'
import { phoneLocation } from './phone-location.ts'
import type { Places } from './places.ts'
import { decidePlace, type Evidence, type Found } from './precedence.ts'

/** What the service remembers of a user beyond the configuration. */
export interface LastKnown {
  /** Source address of the newest live registration. */
  source(user: string): { readonly address: string; readonly at: number } | undefined
  /** What the PSAP was given, while the emergency call lasts and for the callback window. */
  emergency(user: string): LocateAnswer | undefined
}

/** Total: every question has an answer. `now` is the wall clock, ms. */
export function locate(question: LocateQuestion, places: Places, known: LastKnown, now: number): LocateAnswer {
  const target = targetOf(question, places)
  if (target.kind === 'elin') return locateElin(target.number, target.where, places, now)
  const user = target.user
  // ALI: during a call the location of that call, then the standing one
  if (question.purpose === 'query' && user && question.sourceAddress === undefined) {
    const during = known.emergency(user)
    if (during) return during
  }
  const last = user ? known.source(user) : undefined
  const source = question.sourceAddress ?? last?.address
  const decision = decidePlace(evidenceOf(question, user, source, places, now), now)
  const site = source === undefined ? undefined : places.siteOf(source)
  const callback = places.callback(user, site)
  const about = { ...(user ? { user } : {}), ...(callback ? { callback } : {}) }
  if (decision.kind === 'unknown') {
    const why = user || source !== undefined ? decision.why : target.why
    return { kind: 'unknown', why, routeClass: 'screened', ...about }
  }
  const { at, ...found } = decision
  return { ...found, determinedAt: new Date(at).toISOString(), ...(site ? { site } : {}), ...about }
}

type Target =
  | { readonly kind: 'user'; readonly user: string | undefined; readonly why: string }
  | { readonly kind: 'elin'; readonly number: string; readonly where: string }

function targetOf({ user, number }: LocateQuestion, places: Places): Target {
  if (user !== undefined) {
    const name = places.user(user)?.name
    return { kind: 'user', user: name, why: `there is no user ${user}` }
  }
  if (number === undefined) return { kind: 'user', user: undefined, why: 'neither user nor number nor address' }
  const name = places.userOfNumber(number)
  if (name !== undefined) return { kind: 'user', user: name, why: '' }
  const where = places.elin(number)
  if (where !== undefined) return { kind: 'elin', number, where }
  return { kind: 'user', user: undefined, why: `${number} is nobody's number here` }
}

function locateElin(number: string, where: string, places: Places, now: number): LocateAnswer {
  const callback = places.e164(number) ?? number
  const exact = places.place(where)
  const place = exact ?? places.siteDefault(where)
  if (!place) return { kind: 'unknown', why: `${where} has no location`, routeClass: 'screened', callback }
  // the number is the record at the PSAP (PS-ALI): straight there
  return {
    ...{ kind: 'found', place, source: exact ? 'static' : 'site', confidence: exact ? 0.6 : 0.4, routeClass: 'direct' },
    ...{ determinedAt: new Date(now).toISOString(), callback, ...(exact ? {} : { site: where }) },
  }
}

function evidenceOf(
  { wire, pidfLo }: LocateQuestion,
  user: string | undefined,
  source: string | undefined,
  places: Places,
  now: number,
): Evidence {
  const { wiremap } = places
  const named = (name: string | undefined): Found | undefined => {
    const place = places.place(name)
    return place && { place, at: now }
  }
  const phone = pidfLo === undefined ? undefined : phoneLocation(pidfLo)
  const assigned = user ? named(places.user(user)?.location ?? undefined) : undefined
  const site = source === undefined ? undefined : places.siteOf(source)
  const siteDefault = site === undefined ? undefined : places.siteDefault(site)
  return defined({
    bssid: wire?.bssid === undefined ? undefined : named(wiremap.bssid(wire.bssid)),
    port:
      wire?.chassis === undefined || wire.port === undefined ? undefined : named(wiremap.port(wire.chassis, wire.port)),
    chassis: wire?.chassis === undefined ? undefined : named(wiremap.chassis(wire.chassis)),
    subnet: source === undefined ? undefined : named(wiremap.subnet(source)),
    pidfLo:
      phone?.kind === 'place'
        ? { place: phone.place, at: timeOf(phone.at, now), measured: phone.measured, trusted: user !== undefined }
        : undefined,
    assigned:
      assigned && user
        ? { ...assigned, onSite: source === undefined ? undefined : places.onOwnSite(user, source) }
        : undefined,
    site: siteDefault && { place: siteDefault, at: now },
  })
}

/** A phone's clock may be wrong: never later than now. */
function timeOf(written: string | undefined, now: number): number {
  const at = written === undefined ? Number.NaN : Date.parse(written)
  return Number.isNaN(at) ? now : Math.min(at, now)
}

function defined(evidence: { [K in keyof Evidence]: Evidence[K] | undefined }): Evidence {
  return Object.fromEntries(Object.entries(evidence).filter(([, value]) => value !== undefined)) as Evidence
}
