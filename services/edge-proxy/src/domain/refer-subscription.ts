/** The implicit subscription of a REFER (RFC 3515 2.4.4, RFC 6665): what became of it, told in NOTIFYs, one at a time. */
import { reasonOf } from '@tandem/sip/message/status.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallSession } from './call-session.ts'
import type { DialogAsk } from './dialog-request.ts'

/** s; no transfer takes longer. */
const LASTS = 180
export const TRANSFER_MS = LASTS * 1000
/** Who does not answer a NOTIFY is not waited for, ms. */
const PATIENCE_MS = 2000

export interface ReferSubscription {
  /** Progress of what was referred to: 100 or 18x. */
  progress(status: number): void
  /** How it ended; `told` runs when the peer knows, or does not answer. */
  end(status: number, told?: () => void): void
}

/** RFC 4488: nobody wants to hear. */
export const NO_SUBSCRIPTION: ReferSubscription = { progress() {}, end: (_status, told) => told?.() }

/** `id`: CSeq of the REFER when it is not the first of its dialog (RFC 3515 2.4.6). */
export function referSubscription(
  session: CallSession,
  leg: CallLeg,
  id: number | undefined,
  after: (ms: number, run: () => void) => void,
): ReferSubscription {
  const queue: (() => void)[] = []
  let waiting = false
  let over = false
  let last = 0
  const event = id === undefined ? 'refer' : `refer;id=${id}`

  const next = () => {
    if (waiting) return
    const send = queue.shift()
    if (send === undefined) return
    waiting = true
    send()
  }

  const notify = (status: number, state: string, done?: () => void) => {
    const ask: DialogAsk = {
      method: 'NOTIFY',
      headers: [
        ['Event', event],
        ['Subscription-State', state],
      ],
      // RFC 3515 2.4.5: "The body of a NOTIFY MUST begin with a SIP Response Status-Line"
      body: `SIP/2.0 ${status} ${reasonOf(status)}\r\n`,
      contentType: 'message/sipfrag;version=2.0',
    }
    queue.push(() => {
      let answered = false
      const answer = () => {
        if (answered) return
        answered = true
        done?.()
        waiting = false
        next()
      }
      if (done) after(PATIENCE_MS, answer)
      session.request(leg, ask, (response) => {
        // RFC 6665 4.2.2: the subscription is gone when the peer does not know it
        if (response === undefined || response.status === 481) over = true
        answer()
      })
    })
    next()
  }

  return {
    progress(status) {
      if (over || status === last) return
      last = status
      notify(status, `active;expires=${LASTS}`)
    },
    end(status, told) {
      if (over) return void told?.()
      over = true
      notify(status, 'terminated;reason=noresource', told)
    },
  }
}
