/**
 * The bus as services see it: ask, answer, tell, record, hear, consume. Deadlines, trace context, schema checks and
 * metrics are done here once, not in handlers.
 */
import { readFile } from 'node:fs/promises'
import { type JetStreamManager, jetstreamManager, PubHeaders } from '@nats-io/jetstream'
import {
  credsAuthenticator,
  type Msg,
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  type Subscription,
} from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import type { Context } from '@opentelemetry/api'
import type { FactContract, RequestContract, ServiceName } from '@tandem/contracts/contract.ts'
import { subjectOf, subjectPattern } from '@tandem/contracts/contract.ts'
import { inboxPrefix } from '@tandem/contracts/permissions.ts'
import type { Static, TSchema } from 'typebox'
import { type Bucket, openBucket } from './bucket.ts'
import { startConsumer, startReader, streamOf } from './consumer.ts'
import { aboutHeader, factHeaders, versionHeader } from './fact-headers.ts'
import { follow } from './follow.ts'
import { Gatherer } from './gatherer.ts'
import { answered, askSeconds, denied, heard, told } from './metrics.ts'
import { type Asked, BusAway, type Delivered, type Recorded } from './outcome.ts'
import { parseJson } from './parse-json.ts'
import { readAck } from './publish-ack.ts'
import { Requests } from './requests.ts'
import { carry, context, contextOf, failed, incoming, incomingSpan, outgoing, SpanKind } from './trace.ts'
import { validator } from './validate.ts'

export interface BusSettings {
  readonly service: ServiceName
  /** nats://host:port, several separated by commas. */
  readonly url: string
  readonly user?: string | undefined
  readonly password?: string | undefined
  /** Folder with `<service>.creds`. */
  readonly credsDir?: string | undefined
  /** Told of everything that is nobody's answer: permission violations, lost connections, faults of handlers. */
  readonly onTrouble?: (trouble: { what: string; detail: string }) => void
  readonly onConnected?: (connected: boolean) => void
}

export interface AskOptions {
  readonly emergency?: boolean
  /** Instead of the contract's, ms. */
  readonly timeoutMs?: number
  readonly context?: Context
}

export interface AnswerContext {
  /** Wall clock ms after which nobody waits any more. */
  readonly deadline: number
  readonly context: Context
}

/** What a handler gives: undefined means that this replica does not answer. */
export type Reply<A> = A | undefined | Promise<A | undefined>

export type Stop = () => Promise<void>

/** Hosts' clocks differ a little; work is dropped only when it is late beyond doubt, ms. */
const clockTolerance = 1000
/** A record waits this long for its stream, ms. */
const ACK_MS = 5000
const deadlineHeader = 'Tandem-Deadline'
const errorHeader = 'Tandem-Error'

export class Bus {
  readonly #nc: NatsConnection
  readonly #settings: BusSettings
  readonly #stops = new Set<Stop>()
  #connected = true
  readonly #gatherer: Gatherer
  readonly #requests: Requests
  readonly #connectionWatchers = new Set<(connected: boolean) => void>()
  #jsm: JetStreamManager | undefined

  constructor(nc: NatsConnection, settings: BusSettings) {
    this.#nc = nc
    this.#settings = settings
    this.#gatherer = new Gatherer(nc)
    this.#requests = new Requests(nc, inboxPrefix(settings.service))
    void this.#watchConnection()
  }

  get connected(): boolean {
    return this.#connected && !this.#nc.isClosed()
  }

  get service(): ServiceName {
    return this.#settings.service
  }

  /** One question, one outcome: never throws, never hangs beyond its time. */
  async ask<Q extends TSchema, A extends TSchema>(
    contract: RequestContract<Q, A>,
    question: Static<Q>,
    options: AskOptions = {},
  ): Promise<Asked<Static<A>>> {
    const timeout =
      options.timeoutMs ?? (options.emergency ? contract.emergencyTimeoutMs : undefined) ?? contract.timeoutMs
    if (!this.connected) return { kind: 'nobody' }
    const { span, headers } = outgoing(SpanKind.CLIENT, contract.subject, options.context ?? context.active())
    headers.set(deadlineHeader, String(Date.now() + timeout))
    headers.set(versionHeader, String(contract.version))
    const end = askSeconds.startTimer({ subject: contract.subject })
    const outcome = await this.#request(contract, question, headers, timeout)
    end({ outcome: outcome.kind })
    if (outcome.kind !== 'answer') failed(span, outcome.kind)
    span.end()
    return outcome
  }

  async #request<Q extends TSchema, A extends TSchema>(
    contract: RequestContract<Q, A>,
    question: Static<Q>,
    headers: ReturnType<typeof carry>,
    timeout: number,
  ): Promise<Asked<Static<A>>> {
    const reply = await this.#requests.send(contract.subject, JSON.stringify(question), headers, timeout)
    if (reply.kind === 'reply') return this.#readAnswer(contract, reply.message)
    return reply.kind === 'denied' ? { kind: 'refused', why: reply.why } : reply
  }

  #readAnswer<Q extends TSchema, A extends TSchema>(contract: RequestContract<Q, A>, reply: Msg): Asked<Static<A>> {
    const refusal = reply.headers?.get(errorHeader)
    if (refusal) return { kind: 'refused', why: refusal }
    const checked = validator(contract.answer)(parseJson(reply.data))
    return checked.ok
      ? { kind: 'answer', answer: checked.value as Static<A> }
      : { kind: 'refused', why: `bad answer: ${checked.why}` }
  }

  /** Asks every replica and gathers what comes within `waitMs`; no longer than until that is `enough`. */
  async askAll<Q extends TSchema, A extends TSchema>(
    contract: RequestContract<Q, A>,
    question: Static<Q>,
    waitMs = 300,
    enough: (answers: readonly Static<A>[]) => boolean = () => false,
  ): Promise<Static<A>[]> {
    if (!this.connected) return []
    const answers: Static<A>[] = []
    try {
      const replies = await this.#nc.requestMany(contract.subject, JSON.stringify(question), {
        strategy: 'timer',
        maxWait: waitMs,
      })
      for await (const reply of replies) {
        const read = this.#readAnswer(contract, reply)
        if (read.kind === 'answer') answers.push(read.answer)
        if (enough(answers)) break
      }
    } catch (error) {
      if (!(error instanceof NoRespondersError) && !(error instanceof RequestError)) throw error
    }
    return answers
  }

  /**
   * Answers a question. Replicas share the work (a queue group) unless `everyReplica`. A handler's exception becomes a
   * refusal for the asker and a trouble for the log; a late question is dropped.
   */
  answer<Q extends TSchema, A extends TSchema>(
    contract: RequestContract<Q, A>,
    handler: (question: Static<Q>, asked: AnswerContext) => Reply<Static<A>>,
    options: { everyReplica?: boolean } = {},
  ): Stop {
    const check = validator(contract.question)
    const serve = async (message: Msg): Promise<void> => {
      const deadline = Number(message.headers?.get(deadlineHeader) || Number.POSITIVE_INFINITY)
      if (Date.now() > deadline + clockTolerance) {
        answered.inc({ subject: contract.subject, outcome: 'late' })
        return
      }
      const checked = check(parseJson(message.data))
      if (!checked.ok) {
        answered.inc({ subject: contract.subject, outcome: 'refused' })
        refuse(message, `bad question: ${checked.why}`)
        return
      }
      const { span, context: inside } = incomingSpan(SpanKind.SERVER, contract.subject, incoming(message.headers))
      try {
        const reply = await context.with(inside, () =>
          handler(checked.value as Static<Q>, { deadline, context: inside }),
        )
        if (reply !== undefined) message.respond(JSON.stringify(reply))
        answered.inc({ subject: contract.subject, outcome: 'answered' })
      } catch (error) {
        failed(span, String(error))
        answered.inc({ subject: contract.subject, outcome: 'failed' })
        this.#trouble(
          'handler failed',
          `${contract.subject}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        )
        refuse(message, 'internal error')
      } finally {
        span.end()
      }
    }
    return this.#subscribe(
      contract.subject,
      options.everyReplica ? undefined : this.#settings.service,
      (m) => void serve(m),
    )
  }

  /**
   * Fire and forget: progress that is worth nothing when it is late. A stream keeps it if one listens to its subject.
   * Facts with `gatherMs` wait for each other that long; they leave in the order told, and before what is recorded next.
   */
  tell<B extends TSchema>(contract: FactContract<B>, body: Static<B>, options: { context?: Context } = {}): void {
    if (this.#nc.isClosed() || !this.#connected) return
    const headers = factHeaders(contract, body, options.context ?? context.active())
    const subject = subjectOf(contract, body)
    const text = JSON.stringify(body)
    told.inc({ subject: contract.subject })
    if (contract.gatherMs === undefined) this.#nc.publish(subject, text, { headers })
    else this.#gatherer.add({ subject, text, headers }, contract.gatherMs)
  }

  /**
   * Records a fact in its stream and waits for the ack. Throws `BusAway` when the stream did not answer: keep the fact
   * and try again.
   */
  async record<B extends TSchema>(
    contract: FactContract<B>,
    body: Static<B>,
    options: { messageId: string; context?: Context },
  ): Promise<Recorded> {
    if (!this.connected) throw new BusAway('not connected')
    const headers = carry(options.context ?? context.active())
    headers.set(versionHeader, String(contract.version))
    return await this.recordEncoded(
      contract,
      subjectOf(contract, body),
      JSON.stringify(body),
      headers,
      options.messageId,
    )
  }

  /** The same for a body that was encoded before, with the trace context it had then. */
  async recordText<B extends TSchema>(
    contract: FactContract<B>,
    key: string,
    text: string,
    options: { messageId: string; traceparent?: string | undefined },
  ): Promise<Recorded> {
    if (!this.connected) throw new BusAway('not connected')
    const headers = carry(context.active())
    if (options.traceparent) headers.set('traceparent', options.traceparent)
    headers.set(versionHeader, String(contract.version))
    const subject = subjectOf(contract, { [contract.key as string]: key } as Static<B>)
    return await this.recordEncoded(contract, subject, text, headers, options.messageId)
  }

  private async recordEncoded(
    contract: FactContract,
    subject: string,
    text: string,
    headers: ReturnType<typeof carry>,
    messageId: string,
  ): Promise<Recorded> {
    this.#gatherer.send()
    headers.set(PubHeaders.MsgIdHdr, messageId)
    const reply = await this.#requests.send(subject, text, headers, ACK_MS)
    if (reply.kind !== 'reply') throw new BusAway(`${subject}: ${reply.kind}`)
    told.inc({ subject: contract.subject })
    return readAck(subject, parseJson(reply.message.data))
  }

  /** Hears facts as they are told; what was told while away is not made up for (use `consume` or `replay`). */
  hear<B extends TSchema>(
    contract: FactContract<B>,
    handler: (body: Static<B>, got: { context: Context }) => void | Promise<void>,
    options: { queue?: boolean; key?: string } = {},
  ): Stop {
    const check = validator(contract.body)
    const subject =
      options.key === undefined
        ? subjectPattern(contract)
        : subjectOf(contract, { [contract.key as string]: options.key } as Static<B>)
    const take = async (message: Msg): Promise<void> => {
      const checked = check(parseJson(message.data))
      heard.inc({ subject: contract.subject, outcome: checked.ok ? 'heard' : 'refused' })
      if (!checked.ok) return this.#trouble('fact refused', `${message.subject}: ${checked.why}`)
      try {
        await handler(checked.value as Static<B>, contextOf(message))
      } catch (error) {
        this.#trouble(
          'handler failed',
          `${message.subject}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        )
      }
    }
    return this.#subscribe(subject, options.queue ? this.#settings.service : undefined, (m) => void take(m))
  }

  /**
   * Reads facts durably, in batches, each acked only after the handler's promise. A handler that rejects gets the batch
   * again, later and later. Messages that do not match their contract arrive as `poison`: put them aside, they are acked.
   */
  consume<B extends TSchema>(
    contract: FactContract<B>,
    options: { durable: string; batch?: number; gatherMs?: number; ackWaitMs?: number },
    handler: (batch: readonly Delivered<Static<B>>[]) => Promise<void>,
  ): Stop {
    const consumer = startConsumer(this.#nc, contract, options, handler, (what, detail) => this.#trouble(what, detail))
    return this.#own(consumer)
  }

  /** Facts that the durable reader has not been given yet. Throws when the stream does not say. */
  async backlog(contract: FactContract, durable: string): Promise<number> {
    this.#jsm ??= await jetstreamManager(this.#nc, { checkAPI: false })
    return (await this.#jsm.consumers.info(streamOf(contract), durable)).num_pending
  }

  /**
   * Reads a stream's facts from the beginning (or `sinceMs` ago) and goes on with what comes: for an index in memory
   * that is rebuilt at each start. In order, without acks.
   */
  replay<B extends TSchema>(
    contract: FactContract<B>,
    options: { sinceMs?: number },
    handler: (body: Static<B>, got: { sequence: number; live: boolean }) => void,
  ): Stop {
    const consumer = startConsumer(
      this.#nc,
      contract,
      { ordered: true, ...options },
      async (batch) => {
        for (const d of batch)
          if (d.kind === 'fact') handler(d.body, { sequence: d.sequence, live: d.deliveries === 0 })
      },
      (what, detail) => this.#trouble(what, detail),
    )
    return this.#own(consumer)
  }

  /**
   * As `replay`, but learns only where facts stand in their stream and what they are about: undefined where whoever told
   * one did not say (read it with `stored`).
   */
  index(
    contract: FactContract,
    options: { sinceMs?: number },
    handler: (about: readonly string[] | undefined, sequence: number) => void | Promise<void>,
  ): Stop {
    const reader = startReader(
      this.#nc,
      contract,
      { ordered: true, headersOnly: true, ...options },
      (m) => ({ about: m.headers?.get(aboutHeader) || undefined, sequence: m.seq }),
      async (batch) => {
        for (const { about, sequence } of batch) await handler(about?.split(','), sequence)
      },
      (what, detail) => this.#trouble(what, detail),
    )
    return this.#own(reader)
  }

  /**
   * Hears a fact as it is told and reads what was told in the last `sinceMs`, and after a lost connection what was told
   * meanwhile: for state in memory that a fact heard twice, or after a later one, does no harm.
   */
  follow<B extends TSchema>(
    contract: FactContract<B>,
    options: { sinceMs: number },
    handler: (body: Static<B>) => void,
  ): Stop {
    const stop = follow(this.#nc, {
      ...{ contract, handler, sinceMs: options.sinceMs },
      hear: () => this.hear(contract, handler),
      watchConnection: (changed) => {
        this.#connectionWatchers.add(changed)
        return () => this.#connectionWatchers.delete(changed)
      },
      trouble: (what, detail) => this.#trouble(what, detail),
    })
    return this.#own(stop)
  }

  /** One stored fact by its stream sequence, or undefined when it has gone. */
  async stored<B extends TSchema>(
    contract: FactContract<B>,
    stream: string,
    sequence: number,
  ): Promise<Static<B> | undefined> {
    this.#jsm ??= await jetstreamManager(this.#nc, { checkAPI: false })
    const message = await this.#jsm.streams.getMessage(stream, { seq: sequence })
    if (!message) return undefined
    const checked = validator(contract.body)(parseJson(message.data))
    return checked.ok ? (checked.value as Static<B>) : undefined
  }

  async bucket(name: string): Promise<Bucket> {
    return await openBucket(
      this.#nc,
      name,
      (stop) => this.#own(stop),
      (what, detail) => this.#trouble(what, detail),
    )
  }

  /** For console: makes streams and buckets (libs/bus/src/streams.ts). */
  get connection(): NatsConnection {
    return this.#nc
  }

  async flush(): Promise<void> {
    this.#gatherer.send()
    await this.#nc.flush()
  }

  /** Stops listening, lets running handlers' replies out, closes. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#stops].map((stop) => stop()))
    this.#gatherer.send()
    if (this.#nc.isClosed()) return this.#requests.close()
    const drained = this.connected ? this.#nc.drain() : this.#nc.close()
    await Promise.race([drained, new Promise((done) => setTimeout(done, 2000).unref())])
    await this.#nc.close()
    this.#requests.close()
  }

  #subscribe(subject: string, queue: string | undefined, take: (m: Msg) => void): Stop {
    const subscription: Subscription = this.#nc.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error) this.#trouble('subscription failed', `${subject}: ${error.message}`)
        else take(message)
      },
    })
    return this.#own(async () => subscription.unsubscribe())
  }

  #own(stop: Stop): Stop {
    const owned: Stop = async () => {
      if (this.#stops.delete(owned)) await stop()
    }
    this.#stops.add(owned)
    return owned
  }

  #trouble(what: string, detail: string): void {
    this.#settings.onTrouble?.({ what, detail })
  }

  async #watchConnection(): Promise<void> {
    for await (const s of this.#nc.status()) {
      if (s.type === 'disconnect' || s.type === 'reconnect') {
        this.#connected = s.type === 'reconnect'
        this.#settings.onConnected?.(this.#connected)
        for (const changed of this.#connectionWatchers) changed(this.#connected)
      } else if (s.type === 'error') {
        if (s.error instanceof PermissionViolationError) {
          denied.inc({ operation: s.error.operation })
          if (s.error.operation === 'publish') this.#requests.denied(s.error.subject, s.error.message)
        }
        this.#trouble('bus error', s.error.message)
      }
    }
  }
}

function refuse(message: Msg, why: string): void {
  const headers = carry(context.active())
  headers.set(errorHeader, why.slice(0, 512).replace(/[\r\n]/g, ' '))
  message.respond('', { headers })
}

/** For a whole handshake with a server, ms: the client's own default is 20 s. */
const handshakeMs = 1500

/** Connects and keeps the connection: reconnects for ever, waits for the first one too. */
export async function connectBus(settings: BusSettings): Promise<Bus> {
  const creds = settings.credsDir ? await readFile(`${settings.credsDir}/${settings.service}.creds`) : undefined
  const nc = await connect({
    servers: settings.url.split(','),
    name: settings.service,
    inboxPrefix: inboxPrefix(settings.service),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    waitOnFirstConnect: true,
    // a server that dies between INFO and PONG leaves the client waiting for this long, not for the PONG's failure
    timeout: handshakeMs,
    pingInterval: 5000,
    maxPingOut: 2,
    ignoreClusterUpdates: false,
    // else each request makes two errors with their stacks beforehand, in case it fails
    noAsyncTraces: true,
    ...(creds ? { authenticator: credsAuthenticator(creds) } : {}),
    ...(settings.user === undefined ? {} : { user: settings.user, pass: settings.password ?? '' }),
  })
  return new Bus(nc, settings)
}
