/**
 * Two calls of the transferor become one (RFC 5589 7.3): the far end of each is offered what the other has said. The router
 * is not asked: both calls are there.
 */
import { negotiatedCodec } from '@tandem/sdp/offer-answer.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { resumed } from '@tandem/sdp/resume.ts'
import type { Replaces } from '@tandem/sip/message/refer.ts'
import { B2bCall } from './b2b-call.ts'
import { beginBlind } from './blind-transfer.ts'
import type { CallLeg } from './call-leg.ts'
import type { DialogEntry } from './call-parts.ts'
import { CallSession } from './call-session.ts'
import { offerTo } from './media-join.ts'
import type { Transfer } from './transfer.ts'
import { legToReplace, nameOfParty, samePeer, TRANSFERRED } from './transfer-parties.ts'

export function beginAttended(transfer: Transfer, replaces: Replaces): void {
  const { transferor, session, parts } = transfer.given
  const found = legToReplace(parts.dialogs, replaces, true)
  // RFC 3891 3: only a dialog of the same party is his to give away; of others he is not even told that they exist
  if (found === undefined || found.leg === transferor || !samePeer(found.leg.party, transferor.party))
    return void transfer.fail(481)
  const other = sessionOf(found)
  if (other === undefined) return void halfWay(transfer, found)
  // docs/adr/0061: nobody is put into an emergency call in place of the one who made it
  if (other.facts.emergency || session.facts.emergency) return void transfer.fail(603)
  if (other === session || other.over || other.transfer) return void transfer.fail(481)
  const target = other.other(found.leg)
  const heard = target.heard === undefined ? undefined : parseSdp(target.heard)
  if (heard?.kind !== 'sdp' || target.ended) return void transfer.fail(488)
  meet(transfer, other, found.leg, target, resumed(heard.sdp))
}

/**
 * The consultation still rings (RFC 5589 7.6, docs/adr/0060): it is given up, as a phone does that sends a CANCEL before
 * its REFER, and the transfer is a blind one to the same target. RFC 3891 3 lets only a UAC give an early dialog away, and
 * that is what he is.
 */
function halfWay(transfer: Transfer, { leg, owner }: DialogEntry): void {
  if (leg.role !== 'caller' || !(owner instanceof B2bCall) || owner.facts.emergency) return void transfer.fail(481)
  owner.callerGone()
  beginBlind(transfer)
}

function meet(transfer: Transfer, other: CallSession, consulting: CallLeg, target: CallLeg, sdp: Sdp): void {
  const { session, transferee, transferor } = transfer.given
  transfer.move(target, sdp, (moved) => {
    offerTo(other, target, transferee, moved.sdp, transfer.after, (outcome) => {
      if (outcome.kind === 'refused' || transfer.over) {
        // both calls go on as they were
        if (!other.over && !consulting.ended) target.media.connect(consulting.media)
        return void transfer.fail(outcome.kind === 'refused' ? outcome.status : 487)
      }
      if (other.over) return void transfer.fail(481)
      const [one, two] = [session.facts.callId, other.facts.callId]
      target.madeIn = other.factsOf(target)
      for (const leg of [transferee, transferor]) leg.joined = two
      for (const leg of [target, consulting]) leg.joined = one
      for (const leg of [transferee, target]) leg.referredBy = nameOfParty(transferor.party)
      other.sendBye(consulting)
      other.leave(consulting, { by: 'tandem', status: 200, reason: TRANSFERRED })
      other.dissolve()
      tune(moved.sdp, [transferee, target])
      transfer.joined(target)
    })
  })
}

function tune(answer: Sdp, legs: readonly CallLeg[]): void {
  const codec = negotiatedCodec(answer)
  if (codec === undefined) return
  for (const leg of legs) {
    leg.codec = codec.name
    leg.media.tune(codec.clock)
  }
}

/** The answered call that an entry belongs to. */
export function sessionOf({ owner }: DialogEntry): CallSession | undefined {
  if (owner instanceof CallSession) return owner
  return owner instanceof B2bCall ? owner.session : undefined
}
