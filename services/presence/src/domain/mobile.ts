/** Is this leg a call on a user's mobile? Rules M1 to M3 of presence.md P5: seen at the trunk, without any client. */
import type { Leg } from '@tandem/contracts/call.ts'

/** What the rules need to know of the configuration. */
export interface Directory {
  /** User whose registered mobile has this E.164 number. */
  ownerOfMobile(e164: string): string | undefined
  /** P-Asserted-Identity from this carrier is believed (RFC 3325). */
  trusts(trunk: string): boolean
  /** E.164 of a number as the carrier of this trunk writes it. */
  e164(number: string, trunk: string | undefined): string | undefined
}

export interface MobileLeg {
  readonly user: string
  readonly rule: 'M1' | 'M2' | 'M3'
  readonly confidence: 'certain' | 'likely'
}

/** An answer sooner than this after our INVITE is the mobile's voicemail, ms. */
export const VOICEMAIL_ESCAPE_MS = 2_000

export function mobileLeg(leg: Leg, directory: Directory): MobileLeg | undefined {
  if (leg.party.kind !== 'trunk') return undefined
  const { trunk } = leg.party
  // M1: our own forked, simultaneous-ring or callback leg to the registered mobile
  if (leg.role === 'mobile' && leg.user !== undefined) return { user: leg.user, rule: 'M1', confidence: 'certain' }
  if (leg.role !== 'caller') {
    // M2: a call through the trunk to the E.164 of a mobile. What was sent tells where a forwarded call really went.
    for (const number of [leg.sent, leg.to]) {
      const e164 = number === undefined ? undefined : directory.e164(number, trunk)
      const user = e164 === undefined ? undefined : directory.ownerOfMobile(e164)
      if (user !== undefined) return { user, rule: 'M2', confidence: 'certain' }
    }
    return undefined
  }
  // M3: a call in whose identity is that mobile; certain only where the identity can be believed
  const number = directory.e164(leg.from, trunk)
  const user = number === undefined ? undefined : directory.ownerOfMobile(number)
  if (user === undefined) return undefined
  return { user, rule: 'M3', confidence: directory.trusts(trunk) ? 'certain' : 'likely' }
}

/** True when an answer after `setupMs` must be taken as the mobile's voicemail. A call from the mobile has none. */
export function isVoicemail(mobile: MobileLeg, setupMs: number, escapeMs = VOICEMAIL_ESCAPE_MS): boolean {
  return mobile.rule !== 'M3' && setupMs < escapeMs
}
