/**
 * One leg: one SIP dialog of the edge with one peer, its media, its times and its facts. The call (b2b-call.ts) moves it;
 * the leg itself decides nothing.
 */

import type { Context, Span } from '@opentelemetry/api'
import type { LegMedia, LegRecord, LegRole } from '@tandem/contracts/call.ts'
import type { Party } from '@tandem/contracts/values.ts'
import type { Sdp } from '@tandem/sdp/parse.ts'
import type { Dialog } from '@tandem/sip/dialog/dialog.ts'
import type { SessionTimer } from '@tandem/sip/dialog/session-timer.ts'
import type { ClientTransaction } from '@tandem/sip/transaction/client-transaction.ts'
import type { RetransmitUntilAck } from '@tandem/sip/transaction/retransmit-until-ack.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { Wire } from '../edge.ts'
import type { CallFacts } from './call-facts.ts'
import type { Held } from './ledger.ts'
import type { MediaLeg, MediaPeer } from './media-engine.ts'
import type { Attestation } from './passport.ts'
import type { ReliableProvisionals } from './reliable-provisionals.ts'
import type { Verstat } from './stir-verdict.ts'

export interface LegParts {
  readonly legId: string
  readonly role: LegRole
  readonly party: Party
  /** `in`: the peer sent the INVITE. */
  readonly direction: 'in' | 'out'
  readonly wire: Wire
  readonly peer: MediaPeer
  readonly media: MediaLeg
  readonly sipCallId: string
  readonly localTag: string
  readonly attempt: number
  /** Our Contact towards this peer, with angle brackets. */
  readonly contact: string
  readonly startedMs: number
  readonly startedWall: number
  /** Its places on the trunk and on links between sites. */
  readonly held?: Held | undefined
}

export interface LegIdentity {
  user?: string | undefined
  costCentre?: string | undefined
  site?: string | undefined
  sent?: string | undefined
}

/** An offer of ours or theirs that waits for its answer (RFC 3264 4: one at a time). */
export type Exchange =
  | { readonly kind: 'none' }
  | { readonly kind: 'theirs'; readonly transaction: ServerTransaction }
  | { readonly kind: 'ours'; transaction: ClientTransaction | undefined }

export class CallLeg {
  readonly legId: string
  readonly role: LegRole
  readonly party: Party
  readonly direction: 'in' | 'out'
  readonly peer: MediaPeer
  readonly media: MediaLeg
  readonly sipCallId: string
  readonly attempt: number
  /** Another one when its peer is reached another way (leg-wire.ts). */
  contact: string
  /** Tag of a caller's From, while there is no dialog yet. */
  callerTag: string | undefined
  /** Ours; a caller may get another one with the answer (caller-side.ts). */
  localTag: string
  wire: Wire
  identity: LegIdentity = {}
  /** The call that it was made in, when a transfer has brought it into another. */
  madeIn: CallFacts | undefined
  /** Whose transfer made it: `user:alice`. */
  referredBy: string | undefined
  /** Call with which a transfer has joined its own. */
  joined: string | undefined
  /** RFC 3891 3: who else may replace it (a REFER that was passed on said so). */
  replaceableBy: string | undefined
  attestation: Attestation | undefined
  verstat: Verstat | undefined
  /** REFERs received on it. */
  refers = 0
  /** RFC 3323: its peer wants to stay unknown. */
  withheld = false
  span: Span | undefined
  context: Context | undefined

  #dialog: Dialog | undefined
  /** Told when what another edge would need of this leg is not what it was (held-calls.ts). */
  onChange: (() => void) | undefined
  /** What the peer answers to the re-INVITE that is under way, instead of what else is done with it; once. */
  onAnswer: ((answer: Sdp) => void) | undefined
  /** Descriptions as text: the last of the peer, the last that it was sent. */
  heard: string | undefined
  said: string | undefined
  exchange: Exchange = { kind: 'none' }
  /** Before the answer: offer and answer have gone both ways reliably (RFC 3262 5). */
  agreed = false
  /** Of a caller who takes reliable provisional responses. */
  provisionals: ReliableProvisionals | undefined
  /** Our 2xx waits for its ACK. */
  unacked: RetransmitUntilAck | undefined
  /** What is to be done with the body of that ACK (late offer). */
  onAck: ((body: string | undefined) => void) | undefined
  /** RFC 3261 15: no BYE before the ACK; this one waits. */
  byeAfterAck: (() => void) | undefined
  takesUpdate = false
  session: SessionTimer | undefined
  peerMinSe = 0
  sessionTimer: WheelTimer | undefined
  expiryTimer: WheelTimer | undefined
  codec: string | undefined
  held: Held | undefined

  readonly startedMs: number
  readonly startedWall: number
  tryingMs: number | undefined
  ringingMs: number | undefined
  setupMs: number | undefined
  answeredAtMs: number | undefined
  /** The final record is written. */
  ended = false
  seq = 0
  /** Of a leg that another edge had before (adoption.ts): what it had carried, how often that was, */
  counted: LegMedia | undefined
  takeovers = 0
  /** until when it is proven, clock ms, as long as its peer has not been heard here, */
  provenMs: number | undefined
  /** and that its peer has still to learn where we are. */
  moved = false
  /** Its phone is waited for (phone-return.ts). */
  awaited = false

  constructor(parts: LegParts) {
    this.legId = parts.legId
    this.role = parts.role
    this.party = parts.party
    this.direction = parts.direction
    this.wire = parts.wire
    this.peer = parts.peer
    this.media = parts.media
    this.sipCallId = parts.sipCallId
    this.localTag = parts.localTag
    this.attempt = parts.attempt
    this.contact = parts.contact
    this.startedMs = parts.startedMs
    this.startedWall = parts.startedWall
    this.held = parts.held
  }

  get dialog(): Dialog | undefined {
    return this.#dialog
  }

  /** Every request either way changes its dialog, and so does a new target; what was agreed with it is there by then or in the same turn. */
  set dialog(dialog: Dialog | undefined) {
    this.#dialog = dialog
    this.onChange?.()
  }

  /** Of our in-dialog requests to it and of its record: whose side hung up. */
  get side(): 'caller' | 'callee' {
    return this.role === 'caller' ? 'caller' : 'callee'
  }

  get remoteTag(): string | undefined {
    return this.dialog?.remoteTag ?? this.callerTag
  }

  get key(): string {
    return legKey(this.sipCallId, this.localTag)
  }
}

/** Under which a leg's requests are found: our tag is random, no two legs share it. */
export function legKey(sipCallId: string, localTag: string): string {
  return `${sipCallId}|${localTag}`
}

export type EndedBy = LegRecord['endedBy']
