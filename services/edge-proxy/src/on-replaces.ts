/**
 * An INVITE with Replaces (RFC 3891): the new leg takes the place of another in its call. Who may: the same user or the
 * same carrier, and whoever a REFER of that party that we passed on has named. A dialog that we do not have: 481.
 */
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { resumed } from '@tandem/sdp/resume.ts'
import { type Replaces, replacesOf } from '@tandem/sip/message/refer.ts'
import { sessionOf } from './domain/attended-transfer.ts'
import type { CallLeg } from './domain/call-leg.ts'
import type { CallParts } from './domain/call-parts.ts'
import { partyOf } from './domain/call-question.ts'
import type { CallSession } from './domain/call-session.ts'
import { offerTo } from './domain/media-join.ts'
import { legToReplace, nameOfParty, samePeer, transferMode } from './domain/transfer-parties.ts'
import type { Arrival, Incoming, Reception } from './reception.ts'

/** `arrival`: what the door knows of the INVITE. False: it has no Replaces. */
export type ReplacesDoor = (arrival: Omit<Arrival, 'emergency'>) => boolean

export function createReplacesDoor(parts: CallParts, { begin, untilDecided, refuse }: Reception): ReplacesDoor {
  const { edge } = parts
  const after = (ms: number, run: () => void) => void edge.transactions.timers.after(ms, run)

  const place = (arrival: Omit<Arrival, 'emergency'>, replaces: Replaces) => {
    const { peer, wire } = arrival
    const found = legToReplace(parts.dialogs, replaces)
    const session = found && sessionOf(found)
    // RFC 3891 3: no match, and an early dialog that this UA did not begin: 481
    if (found === undefined || session === undefined || session.over || found.leg.ended) return 481
    const { leg } = found
    const party = partyOf(peer, wire)
    const named = leg.replaceableBy === nameOfParty(party)
    if (!named && !samePeer(party, leg.party)) return 403
    // docs/adr/0061; and a carrier whose transfers we refuse does not get them this way
    const transferring = { session, transferor: leg, transferee: session.other(leg) }
    if (session.facts.emergency || (!named && transferMode(parts.config(), transferring) === 'reject')) return 603
    // RFC 3891 3: "If the flag is present, the UA rejects the request with a 486"
    if (replaces.earlyOnly) return 486
    if (session.transfer || transferring.transferee.ended) return 491
    const facts = { ...session.factsOf(leg) }
    const incoming = begin({ ...arrival, emergency: false, joins: { facts, role: leg.role } })
    incoming.leg.identity = named ? { user: party.kind === 'user' ? party.user : undefined } : { ...leg.identity }
    incoming.leg.madeIn = facts
    const state = untilDecided(incoming)
    parts.tell.started(facts, incoming.leg)
    take(incoming, session, leg, state)
    return undefined
  }

  const take = (incoming: Incoming, session: CallSession, gone: CallLeg, state: { gone: boolean }) => {
    const other = session.other(gone)
    const { leg, offer, caller, facts } = incoming
    const accept = (text: string, onAck?: (body: string | undefined) => void) => {
      if (state.gone || session.over || gone.ended) return void refuse(incoming, 487)
      leg.onAck = onAck
      if (!caller.accept(text, [], () => session.noAck(leg))) return void refuse(incoming, 487)
      const now = edge.clock.now()
      leg.setupMs = now - leg.startedMs
      leg.ringingMs ??= leg.setupMs
      leg.answeredAtMs = now
      leg.codec = other.codec
      other.media.connect(leg.media)
      session.replace(gone, leg)
      session.sendBye(gone)
      session.leave(gone, { by: 'tandem', status: 200, reason: 'replaced' })
      parts.tell.answered(facts, leg)
      edge.log.info({ call: facts.callId, by: nameOfParty(leg.party) }, 'leg replaced')
    }
    if (offer.kind === 'sdp') {
      return void offerTo(session, other, leg, offer.sdp, after, (outcome) => {
        // RFC 3891 3: "MUST return an appropriate error response and MUST leave the matched dialog unchanged"
        if (outcome.kind === 'refused') {
          if (!session.over && !gone.ended) other.media.connect(gone.media)
          return void refuse(incoming, 488)
        }
        session.tune(outcome.sdp)
        accept(outcome.text)
      })
    }
    const heard = other.heard === undefined ? undefined : parseSdp(other.heard)
    if (heard?.kind !== 'sdp') return void refuse(incoming, 488)
    other.media.offer(resumed(heard.sdp), other.peer, leg.media, (text) => {
      if (text === undefined) return void refuse(incoming, 503)
      accept(text, (body) => answered(session, other, leg, body))
    })
  }

  /** The answer of a late offer: the other side is told what it is talked to in. */
  const answered = (session: CallSession, other: CallLeg, leg: CallLeg, body: string | undefined) => {
    const sdp: Sdp | undefined = sdpOf(body)
    if (sdp === undefined) return void session.end('tandem', { reason: 'no answer in the ACK' })
    leg.heard = body
    offerTo(session, other, leg, sdp, after, (outcome) => {
      if (outcome.kind === 'refused') session.end('tandem', { reason: 'not acceptable' })
      else session.tune(outcome.sdp)
    })
  }

  return (arrival) => {
    const replaces = replacesOf(arrival.request)
    if (replaces === undefined) return false
    // RFC 3891 3: "If more than one Replaces header field is present ... 400"
    const status = replaces === 'malformed' ? 400 : place(arrival, replaces)
    if (status !== undefined) arrival.transaction.reply(status)
    return true
  }
}

function sdpOf(body: string | undefined): Sdp | undefined {
  const read = body === undefined ? undefined : parseSdp(body)
  return read?.kind === 'sdp' ? read.sdp : undefined
}
