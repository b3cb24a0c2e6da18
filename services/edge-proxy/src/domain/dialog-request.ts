/** A request of ours inside a dialog, early or not, with the credentials that a trunk may ask for. */
import { type Dialog, requestInDialog } from '@tandem/sip/dialog/dialog.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import type { ClientTransaction } from '@tandem/sip/transaction/client-transaction.ts'
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts } from './call-parts.ts'
import { withDialogWire } from './leg-wire.ts'
import { answerChallenge } from './out-invite.ts'

export interface DialogAsk {
  readonly method: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: Uint8Array | string | undefined
  readonly contentType?: string | undefined
  /** Our Contact: in target refresh requests (RFC 3261 12.2, RFC 3311). */
  readonly contact?: string | undefined
  /** INVITE: hears the status of each provisional response. */
  readonly onProvisional?: ((status: number) => void) | undefined
}

/** Whose dialog it is; it moves on with every request. */
export interface DialogHolder {
  dialog: Dialog | undefined
}

/**
 * Hears the final response once, with the request that it answers; undefined: a timeout, or the way is lost. An INVITE's
 * 2xx is acknowledged by whoever hears it.
 */
export type DialogAnswer = (response: SipResponse | undefined, request: SipRequest, client: ClientTransaction) => void

/** Undefined, and nobody hears of it: there is no dialog. */
export function askInDialog(
  parts: Pick<CallParts, 'edge' | 'random'>,
  leg: CallLeg,
  holder: DialogHolder,
  ask: DialogAsk,
  done: DialogAnswer,
  credentials?: readonly [string, string],
): ClientTransaction | undefined {
  const { edge } = parts
  if (holder.dialog === undefined) return undefined
  const headers = credentials ? [...(ask.headers ?? []), credentials] : (ask.headers ?? [])
  const [dialog, request] = requestInDialog(holder.dialog, { ...ask, headers })
  holder.dialog = dialog
  let client: ClientTransaction | undefined
  let bound: WheelTimer | undefined
  const { timers, times } = edge.transactions
  const final = (response: SipResponse | undefined): void => {
    timers.clear(bound)
    const retry = response && !credentials ? credentialsFor(parts, leg, ask.method, request.uri, response) : undefined
    if (retry) askInDialog(parts, leg, holder, ask, done, retry)
    else done(response, request, client as ClientTransaction)
  }
  withDialogWire(edge, leg, dialog, () => {
    client = edge.transactions.request(request, leg.wire, {
      onResponse: (response) => {
        if (response.status >= 200) final(response)
        else ask.onProvisional?.(response.status)
      },
      onTimeout: () => final(undefined),
      onTransportError: () => final(undefined),
    })
    // who says 100 and no more is waited for no longer than who says nothing: 64*T1, and so long again after the CANCEL
    // there is a final response or the transaction is over (RFC 3261 17.1.1.2, 9.1)
    if (ask.method === 'INVITE') bound = timers.after(64 * times.t1, () => client?.cancel())
  })
  return client
}

/** RFC 3261 22.1: a trunk may challenge any request. */
function credentialsFor(
  { edge, random }: Pick<CallParts, 'edge' | 'random'>,
  leg: CallLeg,
  method: string,
  uri: string,
  response: SipResponse,
): readonly [string, string] | undefined {
  if ((response.status !== 401 && response.status !== 407) || leg.party.kind !== 'trunk') return undefined
  const proxy = response.status === 407
  const field = proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate'
  const known = edge.trunks.credentials(leg.party.trunk)
  const answer = answerChallenge(response, field, method, uri, known, random())
  return answer && [proxy ? 'Proxy-Authorization' : 'Authorization', answer.value]
}
