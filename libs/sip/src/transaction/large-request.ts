/**
 * A request too large for UDP goes over the peer's connection; when that breaks before any answer, over UDP after all
 * (RFC 3261 18.1.1: "it SHOULD retry the request, using UDP"), as the same attempt for its owner.
 */
import type { SipRequest } from '../message/message.ts'
import type { ClientHandlers, ClientTransaction } from './client-transaction.ts'
import type { Wire } from './wire.ts'

export function requestLarge(
  send: (wire: Wire, handlers: ClientHandlers) => ClientTransaction,
  request: SipRequest,
  large: Wire,
  small: Wire,
  handlers: ClientHandlers,
): ClientTransaction {
  let answered = false
  let cancelled = false
  let retried: ClientTransaction | undefined
  const first: ClientHandlers = {
    onResponse(response) {
      answered = true
      handlers.onResponse(response)
    },
    onTimeout: () => handlers.onTimeout(),
    onTransportError() {
      if (answered || cancelled) return handlers.onTransportError()
      // a request of ours has one Via, that of the connection
      request.headers.remove('via')
      retried = send(small, handlers)
    },
  }
  const sent = send(large, first)
  const now = () => retried ?? sent
  return {
    method: sent.method,
    get branch() {
      return now().branch
    },
    get wire() {
      return now().wire
    },
    cancel(headers) {
      cancelled = true
      now().cancel(headers)
    },
    ack: (ack, wire) => now().ack(ack, wire),
    release: () => now().release(),
  }
}
