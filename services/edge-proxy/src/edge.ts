/**
 * What the parts of the edge share. `main.ts` builds one `Edge`; handlers of SIP methods get it as their only dependency.
 */
import type { KeyObject } from 'node:crypto'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Configuration } from '@tandem/config/schema.ts'
import type { Environment } from '@tandem/config/secrets.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { NameAddr, SipRequest, SipUri } from '@tandem/sip/message/message.ts'
import type { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Wire as TransactionWire } from '@tandem/sip/transaction/wire.ts'
import type { EdgeLease } from './adapters/edge-lease.ts'
import type { CredentialFaults } from './credential-faults.ts'

/** Time comes in from outside so that tests can turn it. */
export interface Clock {
  /** Monotonic, ms with fraction. */
  now(): number
  /** Wall clock, ms since 1970. */
  wall(): number
  setTimer(ms: number, run: () => void): Timer
  clearTimer(timer: Timer): void
}
export type Timer = { readonly timer: unique symbol } | object

/** What a TLS client's certificate proves (RFC 5922 7.4). */
export interface Proof {
  /** SIP domains and addresses in the certificate, in lower case. */
  readonly identities: readonly string[]
  /** Files of the CAs behind it as the configuration names them, or `system`. */
  readonly authorities: readonly string[]
}

/** A way to send to one remote address: a UDP address on a listener's socket, or one TCP/TLS connection. */
export interface Wire extends TransactionWire {
  /** All but UDP: no retransmissions (RFC 3261 17.1). */
  readonly reliable: boolean
  /** UDP: where requests over 1300 bytes go, while it works (edge.md E1). */
  large?: () => Wire | undefined
  /** As Via spells it. */
  readonly transport: 'UDP' | 'TCP' | 'TLS' | 'WS' | 'WSS'
  /** Name of the listener in the configuration. */
  readonly listener: string
  readonly remoteAddress: string
  readonly remotePort: number
  /** What we put into Via and Contact: host:port under which the peer reaches us. */
  readonly localAddress: string
  readonly localPort: number
  /** `localAddress:localPort` as it stands in Via and Contact (IPv6 in brackets, as localAddress is). */
  readonly sentBy: string
  /** For logs, like `udp 127.0.0.1:5060 > 127.0.0.2:40112`. */
  readonly name: string
  /** Identity of the flow (RFC 5626 4.1): listener + remote address and port (UDP) or one connection. Never reused. */
  readonly flow: string
  /** TLS connections that were accepted: the certificate of a CA that we trust. */
  readonly proof?: Proof | undefined
  /** False once a connection is closed; a UDP wire is always alive. */
  readonly alive: boolean
  send(bytes: Uint8Array): void
  /**
   * RFC 5626 4.4: asks whether the other end of the flow is there: a double CRLF on a connection, a STUN Binding request
   * over UDP. `mapped`: where it saw us. Undefined: no answer in time where one was `expected`.
   */
  ping?(expected: boolean): Promise<{ readonly mapped?: string | undefined } | undefined>
  /** All but UDP: not closed for idleness before this monotonic time, ms (a binding or a dialog lives on it). */
  keepUntil(ms: number): void
  /** RFC 5626 5.4: closed when nothing has come from the peer for so long, ms. */
  expectSigns?(ms: number): void
  /** The peer is a phone whose flow ends at another edge (docs/adr/0120); `remoteAddress` and `listener` are the phone's. */
  readonly through?: Through
}

export interface Through {
  /** Node of the edge that has the flow. */
  readonly edge: string
  /** Of the flow. */
  readonly transport: Wire['transport']
  /** Of that edge, as the phone knows it. */
  readonly sentBy: string
  /** The user part of a Contact that leads back to this edge. */
  back(callKey: string): string
}

/** Opens ways to send: a connection that is there is used again (RFC 5923). */
export interface Wires {
  /**
   * A wire from a listener to an IP address. `transport` other than the listener's own: its twin on the same address.
   * Rejects when refused or not connected within 500 ms.
   */
  to(listener: string, transport: Wire['transport'], address: string, port: number): Promise<Wire>
  /** Listeners of other transports on the same address (and port, where there is one): one place for the peer. */
  twins(listener: string): readonly string[]
  /**
   * Where a sip URI leads (RFC 3263), from this listener, in the order to try. Rejects with a reason, within 1 s.
   * `trunk`: over TLS its carrier must prove who it is (RFC 5922 7.3), unless the call is for help (`unproven`).
   */
  toUri(listener: string, uri: SipUri, trunk?: string, unproven?: boolean): Promise<readonly Wire[]>
}

/** Who sent a request, proven; never taken from a header that a stranger could write. */
export type Peer =
  | { readonly kind: 'user'; readonly user: string; readonly site: string | undefined }
  | { readonly kind: 'trunk'; readonly trunk: string }
  | { readonly kind: 'unknown'; readonly site: string | undefined }

/** One registered contact of a user and the wire on which it is reached. */
export interface LiveBinding {
  readonly bindingId: string
  readonly user: string
  readonly contact: NameAddr
  /** Path (RFC 3327), outermost first. */
  readonly path: readonly string[]
  /** Undefined when the flow is gone. */
  wire(): Wire | undefined
  readonly source: string
  readonly site: string | undefined
  readonly expiresAt: number
  /** +sip.instance: the device. */
  readonly instance: string | undefined
  /** RFC 3261 20.10: 1 when absent. */
  readonly q: number
  /** Another live flow of the same device, for when this one fails (RFC 5626 7). */
  other(): LiveBinding | undefined
}

/** The edges that run beside this one. */
export interface Cluster {
  /** This node, and which of its lives. */
  readonly self: { readonly edge: string; readonly life: string }
  readonly lease: EdgeLease
  /** What all edges of the cluster know and nobody else; undefined without `edge.cluster.secret`. */
  secret(): KeyObject | undefined
}

/** Who is registered, over which flow. */
export interface Bindings {
  /** One for each device, in the order to try; `instance`: of this device only (GRUU). */
  of(user: string, instance?: string): readonly LiveBinding[]
  /** RFC 5626 7: what was on this flow is not there any more (430). */
  flowFailed(binding: LiveBinding): void
  /** Told when a phone of this user has registered, here or at another edge, until it is stopped. */
  onBound(user: string, run: () => void): () => void
  /** What a URI with `gr` stands for (RFC 5627 6.1); undefined: no GRUU of ours; `unknown`: 404. */
  gruu(uri: SipUri): { readonly user: string; readonly instance: string } | 'unknown' | undefined
}

/** How an attempt on a trunk leaves the house. */
export interface TrunkPath {
  readonly wire: Wire
  /** host[:port] of the Request-URI. */
  readonly host: string
  /** Route header values, if an outbound proxy is set. */
  readonly routes: readonly string[]
}

export interface Trunks {
  /**
   * The addresses of a trunk in the order to try, the same for one `call`; opens a connection where none is. Rejects with
   * a reason, never hangs beyond 500 ms; `urgent`: beyond 1 s, when nobody proves to be the carrier.
   */
  paths(trunk: string, call?: string, urgent?: boolean): Promise<readonly TrunkPath[]>
  /** Credentials that answer a 401/407 of this trunk, if it has any. */
  credentials(trunk: string): { readonly user: string; readonly password: string } | undefined
  health(trunk: string): 'up' | 'probing' | 'down' | 'drain'
  /** Calls up on it; the B2BUA tells. */
  callStarted(trunk: string): void
  callEnded(trunk: string): void
}

export interface Edge {
  /** This node's id: a subject token. */
  readonly node: string
  readonly bus: Bus
  readonly log: Logger
  readonly clock: Clock
  config(): Configuration
  revision(): number
  /** Where secrets are (TANDEM_DATA, variables that the configuration names). */
  readonly env: Environment
  readonly transactions: TransactionLayer
  readonly cluster: Cluster
  readonly bindings: Bindings
  readonly trunks: Trunks
  readonly wires: Wires
  /** Certificates and keys that cannot be used are said here. */
  readonly faults: CredentialFaults
  /** Proves who sent it; answers 401/407/403 itself and returns undefined when it did. INVITE to an emergency number is let through as `unknown` from a site's network. */
  authenticate(
    request: SipRequest,
    wire: Wire,
    respond: (status: number, headers?: readonly (readonly [string, string])[]) => void,
  ): Peer | undefined
  /** Ties the messages of a SIP Call-ID to a call for the ladder; `peerName` like user:alice. */
  capture: {
    /** `sinceMs`: of a call that began at another edge, since 1970: one ladder from there on. */
    follow(sipCallId: string, callId: string, legId: string, peerName: string, sinceMs?: number): void
    forget(sipCallId: string): void
  }
}

/**
 * What the call side gives to the dispatcher: `createCalls(edge): Calls` in `on-invite.ts`. A `ServerTransaction`'s wire
 * is always a `Wire` of this file.
 */
export interface Calls {
  /** An INVITE outside any dialog, screened and its sender proven. Answers it, now or later. */
  onInvite(transaction: ServerTransaction, wire: Wire, peer: Peer): void
  /** A request with a To tag (re-INVITE, BYE, UPDATE, INFO …). False: no dialog of a call, the dispatcher answers. */
  onInDialog(transaction: ServerTransaction, wire: Wire): boolean
  /** An INVITE that is let in while the edge drains: somebody who called for help is called back. */
  neverRefused?(request: SipRequest): boolean
  /** The ACK of a 2xx. */
  onAck(ack: SipRequest, wire: Wire): void
  status(): { readonly calls: number; readonly legs: number; readonly outbox: number }
  /** Ends every call that is left, flushes the outbox. */
  close(): Promise<void>
}
