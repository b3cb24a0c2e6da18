/** Facts of the bus as publications. Time stands in the fact, so that a late one is old however late it is heard. */
import type { Leg, LegRecord } from '@tandem/contracts/call.ts'
import type { Binding } from '@tandem/contracts/registration.ts'
import { type Directory, isVoicemail, mobileLeg, VOICEMAIL_ESCAPE_MS } from './mobile.ts'
import { type Publication, TOMBSTONE_MS } from './publication.ts'

/** A ringing leg that nobody speaks of any more is gone, ms (RFC 3261 timer C is 180 s). */
export const RINGING_LEASE_MS = 200_000
/** Three interim facts (one a minute) missing: the leg is gone (billing.md B5), ms. */
export const CALL_LEASE_MS = 190_000

export type LegFact =
  | { readonly kind: 'started' | 'ringing'; readonly leg: Leg }
  | { readonly kind: 'answered'; readonly leg: Leg & { readonly setupMs: number } }
  | { readonly kind: 'interim'; readonly leg: Leg & { readonly durationMs: number } }
  | { readonly kind: 'ended'; readonly leg: LegRecord }

/** Undefined when the leg is nobody's of ours: a trunk leg of a stranger. */
export function publicationOfLeg(
  fact: LegFact,
  directory: Directory,
  voicemailEscapeMs = VOICEMAIL_ESCAPE_MS,
): Publication | undefined {
  const { leg } = fact
  const mobile = mobileLeg(leg, directory)
  const user = mobile?.user ?? (leg.party.kind === 'user' ? leg.party.user : undefined)
  if (user === undefined) return undefined
  const at = Date.parse(leg.at)
  const talking =
    fact.kind === 'interim' ||
    (fact.kind === 'answered' && !(mobile && isVoicemail(mobile, fact.leg.setupMs, voicemailEscapeMs)))
  return {
    user,
    source: mobile ? 'mobile' : 'call',
    instance: leg.legId,
    availability: talking ? 'busy' : 'available',
    activities: talking ? ['on-the-phone'] : [],
    device: mobile ? 'mobile' : leg.site === undefined ? 'remote' : 'desk',
    confidence: mobile?.confidence ?? 'certain',
    since: fact.kind === 'interim' ? at - fact.leg.durationMs : at,
    expires: at + leaseOf(fact.kind),
    // a leg id is never used again and its facts are counted from 1
    epoch: 0,
    seq: leg.seq,
    ended: fact.kind === 'ended',
    renewal: fact.kind === 'interim',
  }
}

function leaseOf(kind: LegFact['kind']): number {
  if (kind === 'ended') return Math.max(TOMBSTONE_MS, RINGING_LEASE_MS)
  return kind === 'started' || kind === 'ringing' ? RINGING_LEASE_MS : CALL_LEASE_MS
}

/** A registered phone makes its user available until the binding ends. Facts of one binding are ordered by their time. */
export function publicationOfBinding(binding: Binding, removed: boolean): Publication {
  const at = Date.parse(binding.at)
  return {
    user: binding.user,
    source: 'registration',
    instance: binding.bindingId,
    availability: removed ? 'offline' : 'available',
    activities: [],
    device: binding.site === undefined ? 'remote' : 'desk',
    confidence: 'certain',
    since: at,
    expires: removed ? at + TOMBSTONE_MS : Date.parse(binding.expiresAt),
    epoch: 0,
    seq: at,
    ended: removed,
    renewal: false,
  }
}
