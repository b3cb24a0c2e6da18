/**
 * A transfer that the other side is asked to carry out (mode `forward`): our own REFER to it, with a target that means
 * something there and addresses of ours only; what it tells of it goes back to the transferor (RFC 3515, edge.md E7, E10).
 */
import type { SipResponse } from '@tandem/sip/message/message.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallSession, RunningTransfer } from './call-session.ts'
import { type ReferSubscription, TRANSFER_MS } from './refer-subscription.ts'

export interface ForwardParts {
  readonly session: CallSession
  readonly transferee: CallLeg
  /** Values of the headers of our REFER. */
  readonly referTo: string
  readonly referredBy: string | undefined
  readonly subscription: ReferSubscription
  readonly answered: (response: SipResponse | undefined) => void
  readonly after: (ms: number, run: () => void) => void
}

export function forwardRefer(parts: ForwardParts): RunningTransfer {
  const { session, transferee, subscription } = parts
  let over = false
  const headers: [string, string][] = [['Refer-To', parts.referTo]]
  if (parts.referredBy !== undefined) headers.push(['Referred-By', parts.referredBy])
  const running: RunningTransfer = {
    hungUp: () => false,
    notified(leg, transaction) {
      if (leg !== transferee || over || !/^\s*refer\b/i.test(transaction.request.headers.get('event') ?? ''))
        return false
      transaction.reply(200)
      const status = statusOf(transaction)
      const state = transaction.request.headers.get('subscription-state') ?? ''
      if (status >= 200 || /^\s*terminated/i.test(state)) {
        end(status >= 200 ? status : 408)
      } else subscription.progress(status)
      return true
    },
    callOver() {
      end(487)
    },
  }
  const end = (status: number) => {
    if (over) return
    over = true
    if (session.transfer === running) session.transfer = undefined
    subscription.end(status)
  }
  session.request(transferee, { method: 'REFER', headers }, (response) => {
    const accepted = response !== undefined && response.status >= 200 && response.status < 300
    if (!accepted) {
      over = true
      if (session.transfer === running) session.transfer = undefined
    }
    // RFC 6665 4.1.3: whoever says nothing more is not waited for after that
    else parts.after(TRANSFER_MS, () => end(408))
    parts.answered(response)
  })
  return running
}

/** RFC 3515 2.4.5: the status line that a sipfrag begins with; 100 when it cannot be read. Nothing else of it crosses. */
function statusOf({ request }: ServerTransaction): number {
  const [line = ''] = Buffer.from(request.body)
    .toString('latin1')
    .slice(0, 64)
    .split(/[\r\n]/, 1)
  const status = Number(/^SIP\/2\.0 ([1-6]\d\d)\b/.exec(line)?.[1])
  return Number.isNaN(status) ? 100 : status
}
