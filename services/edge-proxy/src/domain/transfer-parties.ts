/** Who takes part in a transfer, and what the router is asked about its target. Pure. */
import type { Configuration, TransferMode } from '@tandem/config/defaults.ts'
import type { RouteQuestion } from '@tandem/contracts/routing.ts'
import type { Party } from '@tandem/contracts/values.ts'
import type { Replaces } from '@tandem/sip/message/refer.ts'
import { type CallLeg, legKey } from './call-leg.ts'
import type { DialogEntry } from './call-parts.ts'
import type { CallSession } from './call-session.ts'
import { instant } from './instant.ts'

/** Reason in the record of a leg that a transfer has ended. */
export const TRANSFERRED = 'transferred'

export interface Transferring {
  readonly session: CallSession
  /** Whose REFER it is. */
  readonly transferor: CallLeg
  /** Who is put through. */
  readonly transferee: CallLeg
}

/**
 * What the peer of a leg may do (docs/adr/0060). RFC 6881 ED-66: "MUST disable features that will interrupt an ongoing
 * emergency call, such as ... Call transfer"; but SP-37: the PSAP may transfer it, by REFER, and is obeyed (docs/adr/0061).
 */
export function transferMode(config: Configuration, { transferor, session }: Transferring): TransferMode {
  const { party } = transferor
  if (party.kind === 'unknown') return 'reject'
  if (party.kind === 'user') {
    if (session.facts.emergency) return 'reject'
    const policy = config.users[party.user]?.policy
    return (policy === undefined ? undefined : config.policies[policy]?.transfer) ?? 'act'
  }
  const trunk = config.trunks[party.trunk]
  const mode = trunk?.transfer ?? 'reject'
  if (!session.facts.emergency) return mode
  return trunk?.emergency === true || mode === 'act' ? 'act' : 'reject'
}

export function samePeer(a: Party, b: Party): boolean {
  if (a.kind === 'user') return b.kind === 'user' && a.user === b.user
  return a.kind === 'trunk' && b.kind === 'trunk' && a.trunk === b.trunk
}

export function nameOfParty(party: Party): string {
  if (party.kind === 'user') return `user:${party.user}`
  return party.kind === 'trunk' ? `trunk:${party.trunk}` : party.address
}

/**
 * The leg whose dialog is meant (RFC 3891 3: "the to-tag parameter is compared to the local tag, and the from-tag
 * parameter is compared to the remote tag"). `swapped`: a Refer-To of a phone that mixed the two up is understood too.
 */
export function legToReplace(
  dialogs: ReadonlyMap<string, DialogEntry>,
  { callId, toTag, fromTag }: Replaces,
  swapped = false,
): DialogEntry | undefined {
  const find = (local: string, remote: string) => {
    const entry = dialogs.get(legKey(callId, local))
    return entry !== undefined && entry.leg.remoteTag === remote ? entry : undefined
  }
  return find(toTag, fromTag) ?? (swapped ? find(fromTag, toTag) : undefined)
}

/** The number of whoever is at the far end of a leg, or the name. */
export function numberAt(config: Configuration, session: CallSession, leg: CallLeg): string {
  if (leg.party.kind === 'user') return config.users[leg.party.user]?.did ?? leg.party.user
  const facts = session.factsOf(leg)
  return leg.role === 'caller' ? facts.from : (facts.to ?? facts.dialled)
}

/** RFC 3892: who refers, as a number of ours; undefined when the policy shows nobody. */
export function referredBy(config: Configuration, leg: CallLeg, number: string): string | undefined {
  if (leg.party.kind !== 'user') return `<sip:${encodeURIComponent(number).replace('%2B', '+')}@${config.domain}>`
  const user = config.users[leg.party.user]
  if (user === undefined || config.policies[user.policy]?.callerId === 'suppress') return undefined
  return `<sip:${user.did ?? encodeURIComponent(user.name)}@${config.domain}>`
}

/** With the transferor's authority: a user's `forward` usages; for a carrier those of calls that arrive on its trunk. */
export function transferQuestion(
  config: Configuration,
  { session, transferor, transferee }: Transferring,
  callId: string,
  target: { readonly dialled: string; readonly uri: string },
  wallMs: number,
): RouteQuestion {
  const { party } = transferor
  const asks = party.kind === 'trunk' ? party : transferee.party
  const site = transferee.identity.site
  const source: RouteQuestion['source'] =
    asks.kind === 'trunk'
      ? { kind: 'trunk', trunk: asks.trunk }
      : asks.kind === 'user'
        ? { kind: 'user', user: asks.user, ...(site === undefined ? {} : { site }) }
        : { kind: 'unknown' }
  return {
    callId,
    source,
    sourceAddress: transferee.wire.remoteAddress,
    dialled: target.dialled.slice(0, 1024),
    requestUri: target.uri.slice(0, 2048),
    from: { number: numberAt(config, session, transferee).slice(0, 1024) },
    at: instant(wallMs),
    ...(party.kind === 'user' ? { onBehalfOf: party.user } : {}),
  }
}
