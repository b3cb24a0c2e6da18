/**
 * The edge without its process: sockets, transactions and the parts that answer requests, wired together.
 *
 *   listeners → parser → transactions → dispatch → calls | registrar | subscriptions | …
 */
import { join } from 'node:path'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import type { Environment } from '@tandem/config/secrets.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { withReceived } from '@tandem/sip/message/make.ts'
import { screenResponse } from '@tandem/sip/message/screen.ts'
import { TransactionLayer, type TransactionLayerParts } from '@tandem/sip/transaction/layer.ts'
import type { TimeSource } from '@tandem/sip/transaction/timer-wheel.ts'
import { type AbuseGate, createAbuseGate, provenFlows } from './abuse-gate.ts'
import { openBindingStore } from './adapters/binding-store.ts'
import { type Capture, createCapture } from './adapters/capture.ts'
import { type RealClock, realClock } from './adapters/clock.ts'
import { createHepExport, type HepExport } from './adapters/hep-export.ts'
import { createListeners, type Listeners } from './adapters/listeners.ts'
import { randomTokens } from './adapters/random-tokens.ts'
import type { Inward, OpenListener } from './adapters/received.ts'
import { createAuthenticator } from './authenticator.ts'
import { type CredentialFaults, createCredentialFaults } from './credential-faults.ts'
import { createDispatch } from './dispatch.ts'
import { createAbuseGuard } from './domain/abuse-guard.ts'
import { createDoorkeeper, type Doorkeeper } from './doorkeeper.ts'
import type { Calls, Edge, Wire } from './edge.ts'
import { createFlowRelay, type FlowRelay } from './flow-relay.ts'
import { type JoinedCluster, joinCluster } from './join-cluster.ts'
import { createNonces } from './nonces.ts'
import { createPublications } from './publications.ts'
import { createRegistrations, type Registrations } from './registrations.ts'
import { createMessages } from './send-message.ts'
import { createSubscriptions } from './subscriptions.ts'
import { createTrunks, type TrunksOwner } from './trunks.ts'

export interface EdgeParts {
  /** A subject token. */
  readonly node: string
  readonly bus: Bus
  readonly log: Logger
  readonly env: Environment
  readonly configuration: Configuration
  readonly revision: number
  readonly createCalls: (edge: Edge) => Calls
  /** TANDEM_DATA; without it nothing is kept. */
  readonly dataFolder?: string
  /** For tests: SIP timers, ms. */
  readonly times?: TransactionLayerParts['times']
  /** For tests: the time that transactions and calls wait by; default the clock. */
  readonly time?: TimeSource
  /** For tests: how long a lease on a trunk lasts, ms. */
  readonly trunkLeaseMs?: number
}

export interface EdgeCore {
  readonly edge: Edge
  readonly calls: Calls
  readonly registrations: Registrations
  /** Applies a configuration to the running edge. Rejects when a listener cannot be opened; the rest is in force. */
  apply(configuration: Configuration, revision: number): Promise<void>
  /** Reads the certificates of TLS listeners again. */
  renewCertificates(): void
  drain(on: boolean): void
  draining(): boolean
  listeners(): readonly OpenListener[]
  /** This edge's registration with the carrier holds. */
  registeredTrunk(trunk: string): boolean
  subscriptions(): number
  captureLost(): number
  /** Captured messages that did not reach the collector. */
  exportLost(): number
  /** Certificates and keys of ours that cannot be used now. */
  credentialFaults(): number
  /** Requests and connections of banned or flooding sources that got no answer. */
  dropped(): number
  /** The bus is back: what is true now is told again. */
  retell(): void
  /** Unregisters from carriers, ends calls, closes sockets. */
  close(): Promise<void>
}

export async function startEdgeCore(parts: EdgeParts): Promise<EdgeCore> {
  const { node, bus, log } = parts
  let { configuration, revision } = parts
  let draining = false
  const clock: RealClock = realClock()
  const collector: HepExport = createHepExport({ env: parts.env, log, clock })
  const capture: Capture = createCapture({ node, bus, clock, beside: collector.send })
  const layer = new TransactionLayer({
    now: () => clock.now(),
    setTimer: (ms, fire) => clock.setTimer(ms, fire),
    clearTimer: (handle) => clock.clearTimer(handle as object),
    ...parts.time,
    random: randomTokens(12, 'hex'),
    onRequest: (transaction) => {
      guarded(
        log,
        'request',
        () => dispatch(transaction, transaction.wire as Wire),
        () => void transaction.reply(500),
      )
    },
    onAck: (ack, wire) => guarded(log, 'ack', () => calls.onAck(ack, wire as Wire)),
    exempt: (request) => door.urgentAnywhere(request),
    ...(parts.times ? { times: parts.times } : {}),
  })
  const inward: Inward = {
    received(outcome, wire, back = wire) {
      guarded(log, 'message', () => receive(layer, outcome, wire, back, gate, relay))
    },
    failed(wire, why) {
      guarded(log, 'wire', () => {
        log.debug({ wire: wire.name, why }, 'wire failed')
        layer.wireFailed(wire)
        if (wire.alive) return
        registrations.connectionFailed(wire.flow)
        cluster.hops.flowFailed(wire.flow)
        trunks.flowFailed(wire.flow)
      })
    },
    unreachable(wire, why) {
      guarded(log, 'wire', () => {
        log.debug({ wire: wire.name, why }, 'nobody listens there')
        layer.unreachable(wire)
      })
    },
    ignores: (source) => gate.ignores(source),
    seen: capture.seen,
  }
  const faults: CredentialFaults = createCredentialFaults({ node, bus, log, clock })
  const listeners: Listeners = createListeners({ clock, inward, env: parts.env, log, faults })
  const base = { node, bus, log, env: parts.env, clock, config: () => configuration, revision: () => revision, faults }
  const folder = parts.dataFolder
  const store = folder === undefined ? undefined : openBindingStore({ folder: join(folder, 'edge'), clock, log })
  const cluster: JoinedCluster = joinCluster({
    ...{ edge: base, listeners, transactions: layer },
    inside: (address) => door.site(address) !== undefined,
    failed: (wire, why) => inward.failed(wire, why),
  })
  const registrations: Registrations = createRegistrations({
    ...{ edge: base, cluster: cluster.bindings, secret: cluster.secret, store },
    reach: (listener, uri) => listeners.toUri(listener, uri),
  })
  const relay: FlowRelay = createFlowRelay({
    ...{ cluster, clock, hops: cluster.hops, ownHop: cluster.ownHop, wireOf: registrations.wireOf },
    answer: (request, status, back) => layer.replyStateless(request, status, back),
    proven: (wire) => door.proven(wire),
  })
  const nonces = createNonces({ bus, clock, cluster })
  const authenticator = createAuthenticator({ config: base.config, env: parts.env, nonces })
  const { usersOn } = registrations
  const guard = createAbuseGuard()
  const door: Doorkeeper = createDoorkeeper({
    edge: base,
    authenticator,
    usersOn,
    twins: listeners.twins,
    registeredAt: (trunk) => trunks.registeredAt(trunk),
    guard,
    provenFlows: provenFlows(),
  })
  const gate: AbuseGate = createAbuseGate({ guard, door, clock })
  const trunks: TrunksOwner = createTrunks({
    ...base,
    transactions: layer,
    wires: listeners,
    env: parts.env,
    registrationChanged: () => door.sourcesChanged(),
    leaseMs: parts.trunkLeaseMs,
  })
  const edge: Edge = {
    ...base,
    transactions: layer,
    cluster,
    bindings: registrations,
    trunks,
    wires: listeners,
    authenticate: door.authenticate,
    capture,
  }
  const calls = parts.createCalls(edge)
  const messages = createMessages(edge, door)
  const subscriptions = createSubscriptions(edge)
  const publications = createPublications(edge)
  const isDraining = () => draining
  const dispatch = createDispatch({
    edge,
    door,
    registrations,
    calls,
    subscriptions,
    publications,
    messages,
    answersForItself: cluster.answersForItself,
    draining: isDraining,
  })

  const close = async () => {
    draining = true
    await trunks.close()
    await calls.close()
    await subscriptions.close()
    await messages.close()
    await cluster.close()
    await nonces.close()
    registrations.close()
    relay.close()
    capture.close()
    collector.close()
    layer.close()
    await listeners.close()
    clock.close()
  }

  listeners.useNameServers(configuration.edge.dns)
  collector.configured(configuration.edge.capture, configuration.edge.dns)
  try {
    await listeners.apply(configuration.edge.listen, configuration.trunks)
  } catch (error) {
    await close()
    throw error
  }
  cluster.configured()
  await registrations.restore((listener, address, port) => listeners.to(listener, 'UDP', address, port))
  trunks.configured()

  return {
    edge,
    calls,
    registrations,
    async apply(next, nextRevision) {
      configuration = next
      revision = nextRevision
      // listeners first: who may send on them is derived from those that are open
      listeners.useNameServers(next.edge.dns)
      collector.configured(next.edge.capture, next.edge.dns)
      const opening = listeners.apply(next.edge.listen, next.trunks)
      registrations.forgetUsers((user) => Object.hasOwn(next.users, user))
      try {
        await opening
      } finally {
        cluster.configured()
        door.configured()
        trunks.configured()
      }
    },
    renewCertificates: listeners.renew,
    drain(on) {
      draining = on
    },
    draining: isDraining,
    listeners: () => listeners.list(),
    registeredTrunk: trunks.registered,
    subscriptions: () => subscriptions.count(),
    captureLost: capture.lost,
    exportLost: collector.lost,
    credentialFaults: faults.count,
    dropped: gate.dropped,
    retell() {
      nonces.wasDeaf()
      registrations.retell()
      trunks.retell()
    },
    close,
  }
}

function receive(
  layer: TransactionLayer,
  outcome: Parameters<Inward['received']>[0],
  wire: Wire,
  back: Wire,
  gate: AbuseGate,
  relay: FlowRelay,
): void {
  if (outcome.kind === 'drop') return
  if (outcome.kind === 'refuse') {
    if (!gate.admits(undefined, wire)) return
    // an answer to what we sent is never answered; the rest is told why it was refused
    withReceived(outcome.request, wire.remoteAddress, wire.remotePort)
    layer.replyStateless(outcome.request, outcome.status, back)
    return
  }
  const { message } = outcome
  if (message.kind === 'response') {
    if (screenResponse(message) === 'ok' && !relay.response(message)) layer.receiveResponse(message)
  } else if (gate.admits(message, wire)) {
    // RFC 3261 18.2.1, RFC 3581 4; RFC 7118 5.3: not over a WebSocket, whose other end may be a proxy of ours
    const web = wire.transport === 'WS' || wire.transport === 'WSS'
    const request = web ? message : withReceived(message, wire.remoteAddress, wire.remotePort)
    if (!relay.request(request, wire, back)) layer.receiveRequest(request, wire, back)
  }
}

/** A bug in one request must not end the calls of all others. */
function guarded(log: Logger, what: string, run: () => void, otherwise?: () => void): void {
  try {
    run()
  } catch (error) {
    log.error({ err: error, what }, 'unexpected')
    otherwise?.()
  }
}
