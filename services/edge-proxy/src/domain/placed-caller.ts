/** The caller of a call that we place: he has answered already, what happens on the other side is heard, not told. */
import { parseSdp } from '@tandem/sdp/parse.ts'
import { requestInDialog } from '@tandem/sip/dialog/dialog.ts'
import type { Edge } from '../edge.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallerSide } from './caller-side.ts'
import { withDialogWire } from './leg-wire.ts'
import { offerTo } from './media-join.ts'

export function placedCaller(edge: Edge, leg: CallLeg): CallerSide {
  const { timers } = edge.transactions
  let waiting = true
  /** The description that he would be answered with. */
  let mine: string | undefined
  return {
    leg,
    get waiting() {
      return waiting
    },
    progress() {},
    whenSettled: (then) => then(),
    accept(sdp) {
      waiting = false
      mine = sdp
      return true
    },
    up(session, far, sdp) {
      // rtpengine has ports for each pair of legs: of several that were dialled at once only one has those of our offer
      if (mine === undefined || leg.said === undefined || placeOf(mine) === placeOf(leg.said)) return
      const after = (ms: number, run: () => void) => void timers.after(ms, run)
      offerTo(session, leg, far, sdp, after, (answer) => {
        if (answer === undefined && !session.over) session.end('tandem', { reason: 'the phone cannot be heard' })
      })
    },
    refuse(status) {
      if (!waiting) return
      waiting = false
      // 487: he has hung up himself
      if (status === 487 || leg.dialog === undefined) return
      const [dialog, bye] = requestInDialog(leg.dialog, { method: 'BYE' })
      leg.dialog = dialog
      withDialogWire(edge, leg, dialog, () => {
        edge.transactions.request(bye, leg.wire, { onResponse() {}, onTimeout() {}, onTransportError() {} })
      })
    },
  }
}

/** Addresses and ports of a description. */
function placeOf(text: string): string | undefined {
  const parsed = parseSdp(text)
  if (parsed.kind !== 'sdp') return undefined
  return JSON.stringify(parsed.sdp.media.map(({ port, connection }) => [port, connection?.address]))
}
