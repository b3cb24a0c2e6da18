/**
 * INVITE client transaction: RFC 3261 17.1.1 as corrected by RFC 6026 7.2 and 8.4; CANCEL of RFC 3261 9.1.
 *
 *   calling --1xx--> proceeding --2xx--> accepted --M--> terminated
 *    | ^ `--2xx-----------|---------------^
 *    `A'  `--300-699------+--300-699--> completed --D--> terminated
 *    `--B, transport error--> terminated
 *   cancel: in calling waits for the first 1xx; then 64*T1 for the final response
 */
import { type Clockwork, TIMER_D_MS } from './clockwork.ts'

export type InviteClientState =
  | { readonly kind: 'calling'; readonly interval: number; readonly cancel: boolean }
  | { readonly kind: 'proceeding'; readonly cancelled: boolean }
  | { readonly kind: 'completed' }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'terminated' }

export type InviteClientTimer = 'A' | 'B' | 'D' | 'M' | 'cancel'

export type InviteClientInput<R> =
  | { readonly kind: 'response'; readonly status: number; readonly response: R }
  /** The user no longer wants the call. */
  | { readonly kind: 'cancel' }
  | { readonly kind: 'timer'; readonly timer: InviteClientTimer }
  | { readonly kind: 'transport-error' }

export type InviteClientEffect<R> =
  /** `request` the INVITE, first or again; `ack-again` the ACK made before; `cancel` a CANCEL of its own transaction. */
  | { readonly kind: 'send'; readonly what: 'request' | 'ack-again' | 'cancel' }
  /** An ACK is to be made of this non-2xx response, sent and kept. */
  | { readonly kind: 'send'; readonly what: 'ack'; readonly response: R }
  | { readonly kind: 'set-timer'; readonly timer: InviteClientTimer; readonly ms: number }
  | { readonly kind: 'clear-timer'; readonly timer: InviteClientTimer }
  | { readonly kind: 'to-user'; readonly event: 'response'; readonly response: R }
  | { readonly kind: 'to-user'; readonly event: 'timeout' | 'transport-error' }
  | { readonly kind: 'terminated' }

export type InviteClientStep<R> = readonly [InviteClientState, readonly InviteClientEffect<R>[]]

const TERMINATED = { kind: 'terminated' } as const
const ACCEPTED = { kind: 'accepted' } as const
const COMPLETED = { kind: 'completed' } as const
const NOTHING = [] as const

/** Sends the INVITE and starts its timers. */
export function start<R>(clock: Clockwork): InviteClientStep<R> {
  const effects: InviteClientEffect<R>[] = [{ kind: 'send', what: 'request' }]
  // RFC 3261 17.1.1.2: timer A only over unreliable transports, timer B (64*T1) over any
  if (!clock.reliable) effects.push({ kind: 'set-timer', timer: 'A', ms: clock.t1 })
  effects.push({ kind: 'set-timer', timer: 'B', ms: 64 * clock.t1 })
  return [{ kind: 'calling', interval: clock.t1, cancel: false }, effects]
}

export function step<R>(state: InviteClientState, input: InviteClientInput<R>, clock: Clockwork): InviteClientStep<R> {
  switch (state.kind) {
    case 'calling':
      return calling(state, input, clock)
    case 'proceeding':
      return proceeding(state, input, clock)
    case 'completed':
      return completed(state, input)
    case 'accepted':
      return accepted(state, input)
    case 'terminated':
      return [state, NOTHING]
  }
}

function calling<R>(
  state: InviteClientState & { kind: 'calling' },
  input: InviteClientInput<R>,
  clock: Clockwork,
): InviteClientStep<R> {
  switch (input.kind) {
    case 'response':
      return answered(state, input, clock)
    case 'cancel':
      // RFC 3261 9.1: without a provisional "the CANCEL request MUST NOT be sent; rather, the client MUST wait"
      return [{ kind: 'calling', interval: state.interval, cancel: true }, NOTHING]
    case 'timer':
      return callingTimer(state, input.timer)
    case 'transport-error':
      return [TERMINATED, [...stopCalling<R>(clock), { kind: 'to-user', event: 'transport-error' }, TERMINATED]]
  }
}

function callingTimer<R>(
  state: InviteClientState & { kind: 'calling' },
  timer: InviteClientTimer,
): InviteClientStep<R> {
  if (timer === 'A') {
    // RFC 3261 17.1.1.2: intervals double after each transmission (timer A knows no T2)
    const interval = 2 * state.interval
    return [
      { kind: 'calling', interval, cancel: state.cancel },
      [
        { kind: 'send', what: 'request' },
        { kind: 'set-timer', timer: 'A', ms: interval },
      ],
    ]
  }
  if (timer !== 'B') return [state, NOTHING]
  return [TERMINATED, [{ kind: 'clear-timer', timer: 'A' }, { kind: 'to-user', event: 'timeout' }, TERMINATED]]
}

function answered<R>(
  state: InviteClientState & { kind: 'calling' },
  { status, response }: { status: number; response: R },
  clock: Clockwork,
): InviteClientStep<R> {
  const effects = stopCalling<R>(clock)
  if (status >= 200) return final(effects, status, response, clock)
  effects.push({ kind: 'to-user', event: 'response', response })
  if (state.cancel) sendCancel(effects, clock)
  return [{ kind: 'proceeding', cancelled: state.cancel }, effects]
}

function stopCalling<R>(clock: Clockwork): InviteClientEffect<R>[] {
  const effects: InviteClientEffect<R>[] = [{ kind: 'clear-timer', timer: 'B' }]
  if (!clock.reliable) effects.push({ kind: 'clear-timer', timer: 'A' })
  return effects
}

function sendCancel<R>(effects: InviteClientEffect<R>[], clock: Clockwork): void {
  effects.push({ kind: 'send', what: 'cancel' })
  // RFC 3261 9.1: no final response in 64*T1 after the CANCEL: consider it cancelled and destroy the transaction
  effects.push({ kind: 'set-timer', timer: 'cancel', ms: 64 * clock.t1 })
}

function final<R>(
  effects: InviteClientEffect<R>[],
  status: number,
  response: R,
  clock: Clockwork,
): InviteClientStep<R> {
  if (status < 300) {
    // RFC 6026 8.4: 2xx to the user, timer M 64*T1, no ACK of our own
    effects.push({ kind: 'set-timer', timer: 'M', ms: 64 * clock.t1 }, { kind: 'to-user', event: 'response', response })
    return [ACCEPTED, effects]
  }
  // RFC 3261 17.1.1.2: "MUST generate an ACK request, even if the transport is reliable"
  effects.push({ kind: 'send', what: 'ack', response })
  // RFC 3261 17.1.1.2: timer D at least 32 s for unreliable transports, zero for reliable ones
  if (clock.reliable) {
    effects.push({ kind: 'to-user', event: 'response', response }, TERMINATED)
    return [TERMINATED, effects]
  }
  effects.push({ kind: 'set-timer', timer: 'D', ms: Math.max(TIMER_D_MS, 64 * clock.t1) })
  effects.push({ kind: 'to-user', event: 'response', response })
  return [COMPLETED, effects]
}

function proceeding<R>(
  state: InviteClientState & { kind: 'proceeding' },
  input: InviteClientInput<R>,
  clock: Clockwork,
): InviteClientStep<R> {
  switch (input.kind) {
    case 'response':
      if (input.status < 200) return [state, [{ kind: 'to-user', event: 'response', response: input.response }]]
      return final(
        state.cancelled ? [{ kind: 'clear-timer', timer: 'cancel' }] : [],
        input.status,
        input.response,
        clock,
      )
    case 'cancel': {
      if (state.cancelled) return [state, NOTHING]
      const effects: InviteClientEffect<R>[] = []
      sendCancel(effects, clock)
      return [{ kind: 'proceeding', cancelled: true }, effects]
    }
    case 'timer':
      if (input.timer !== 'cancel') return [state, NOTHING]
      return [TERMINATED, [{ kind: 'to-user', event: 'timeout' }, TERMINATED]]
    case 'transport-error':
      // RFC 6026 figure 5 names no transport error here; a lost connection can bring no answer any more (17.1.4)
      return [
        TERMINATED,
        [
          ...(state.cancelled ? [{ kind: 'clear-timer', timer: 'cancel' } as const] : NOTHING),
          { kind: 'to-user', event: 'transport-error' },
          TERMINATED,
        ],
      ]
  }
}

function completed<R>(
  state: InviteClientState & { kind: 'completed' },
  input: InviteClientInput<R>,
): InviteClientStep<R> {
  switch (input.kind) {
    case 'response':
      // RFC 3261 17.1.1.2: the ACK is sent again, the response is not passed up
      return [state, input.status >= 300 ? [{ kind: 'send', what: 'ack-again' }] : NOTHING]
    case 'timer':
      return input.timer === 'D' ? [TERMINATED, [TERMINATED]] : [state, NOTHING]
    case 'transport-error':
      return [
        TERMINATED,
        [{ kind: 'clear-timer', timer: 'D' }, { kind: 'to-user', event: 'transport-error' }, TERMINATED],
      ]
    case 'cancel':
      // RFC 3261 9.1: CANCEL has no effect on a request that has a final response
      return [state, NOTHING]
  }
}

function accepted<R>(
  state: InviteClientState & { kind: 'accepted' },
  input: InviteClientInput<R>,
): InviteClientStep<R> {
  if (input.kind === 'response' && input.status >= 200 && input.status < 300) {
    // RFC 6026 7.2: every 2xx, repeated or of another branch of a fork, goes to the user
    return [state, [{ kind: 'to-user', event: 'response', response: input.response }]]
  }
  if (input.kind === 'timer' && input.timer === 'M') return [TERMINATED, [TERMINATED]]
  return [state, NOTHING]
}
