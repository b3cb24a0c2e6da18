/** What every call of this edge is given: the edge, the relay, the outbox, randomness, and the tables that calls share. */
import type { Tracer } from '@opentelemetry/api'
import type { Configuration } from '@tandem/config/schema.ts'
import type { LegRecord } from '@tandem/contracts/call.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Edge } from '../edge.ts'
import type { TrunkLimits } from './call-admission.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallSession } from './call-session.ts'
import type { CallTeller } from './call-tell.ts'
import type { EmergencyRun } from './emergency-run.ts'
import type { HeldCalls } from './held-calls.ts'
import type { HelpCalls } from './help-calls.ts'
import type { MediaEngine } from './media-engine.ts'
import type { Stir } from './stir.ts'

/** Final records on their way to billing; never awaited by a call. */
export interface RecordBox {
  put(record: LegRecord, traceparent: string | undefined): void
  size(): number
}

/** Who answers the requests that come in on a leg's dialog. */
export interface LegOwner {
  onRequest(leg: CallLeg, transaction: ServerTransaction): void
  /** The ACK of our 2xx. */
  onAck(leg: CallLeg, ack: SipRequest): void
}

export interface CallParts {
  readonly edge: Edge
  readonly media: MediaEngine
  readonly outbox: RecordBox
  readonly limits: TrunkLimits
  readonly tell: CallTeller
  readonly tracer: Tracer
  /** A fresh random token of at least 96 bits: ids, tags, Call-IDs. */
  readonly random: () => string
  /** Legs by Call-ID and our tag: where in-dialog requests go. */
  readonly dialogs: Map<string, DialogEntry>
  readonly config: () => Configuration
  /** Keeps what another edge needs to go on with an answered call. */
  readonly held: HeldCalls
  readonly stir: Stir
  /** Who has called for help and may be called back. */
  readonly helpCalls: HelpCalls
  /** A REFER inside a call (transfer.ts). */
  readonly refer: (session: CallSession, leg: CallLeg, transaction: ServerTransaction) => void
  /** The call is answered: from here on the session is the call, and has its dialogs. */
  readonly up: (session: CallSession) => void
  /** The call is over and forgets itself. */
  readonly over: (callId: string) => void
}

/** A call of this edge, whatever has become of it. */
export interface LiveCall {
  readonly id: string
  readonly legs: readonly CallLeg[]
  /** Once it is answered. */
  readonly session: CallSession | undefined
  /** The story of an emergency call, where this edge has told its beginning. */
  readonly emergency: EmergencyRun | undefined
  hangUp(reason: string): void
}

export interface DialogEntry {
  readonly leg: CallLeg
  readonly owner: LegOwner
}
