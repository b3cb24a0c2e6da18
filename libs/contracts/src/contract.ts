/**
 * How a contract is written down. A subject is spelled in this package and nowhere else.
 *
 * Names: `<domain>.v1.<verb>` asks, `<domain>.v1.<past-tense>` tells. Adding an optional field keeps v1; anything else
 * is a v2 beside it for one release. Who may ask, answer, tell and hear is part of the contract: the NATS permissions of
 * each service are derived from it (`permissions.ts`).
 */
import type { Static, TSchema } from 'typebox'

export type ServiceName = 'edge-proxy' | 'routing' | 'presence' | 'location' | 'billing' | 'console'
export const serviceNames: readonly ServiceName[] = [
  'edge-proxy',
  'routing',
  'presence',
  'location',
  'billing',
  'console',
]

export interface RequestContract<Q extends TSchema = TSchema, A extends TSchema = TSchema> {
  readonly kind: 'request'
  readonly subject: string
  readonly version: 1
  readonly question: Q
  readonly answer: A
  /** The asker waits this long, ms; the deadline travels with the request and late work is dropped. */
  readonly timeoutMs: number
  /** The same for an emergency call, ms. */
  readonly emergencyTimeoutMs?: number
  readonly askedBy: readonly ServiceName[]
  /** Several: each of them answers for itself, asked by `askAll`. */
  readonly answeredBy: ServiceName | readonly ServiceName[]
}

export interface FactContract<B extends TSchema = TSchema> {
  readonly kind: 'fact'
  /** Without the key token. */
  readonly subject: string
  readonly version: 1
  readonly body: B
  /** Name of the body's field that is appended to the subject as one token, if any. */
  readonly key?: string
  /**
   * May wait this long for others of its kind and leave together with them, ms. What costs is neither the fact nor its
   * bytes but waking every process that hears it.
   */
  readonly gatherMs?: number
  /** What this body is about, for a header: whoever keeps an index of large facts need not read them. At most 2000 ids. */
  about?(body: Static<B>): readonly string[]
  readonly toldBy: readonly ServiceName[]
  readonly heardBy: readonly ServiceName[]
}

export type Question<C> = C extends RequestContract<infer Q, TSchema> ? Static<Q> : never
export type Answer<C> = C extends RequestContract<TSchema, infer A> ? Static<A> : never
export type Body<C> = C extends FactContract<infer B> ? Static<B> : never

export function answerers({ answeredBy }: RequestContract): readonly ServiceName[] {
  return typeof answeredBy === 'string' ? [answeredBy] : answeredBy
}

export function request<Q extends TSchema, A extends TSchema>(
  c: Omit<RequestContract<Q, A>, 'kind' | 'version'>,
): RequestContract<Q, A> {
  return Object.freeze({ kind: 'request', version: 1, ...c })
}

export function fact<B extends TSchema>(c: Omit<FactContract<B>, 'kind' | 'version'>): FactContract<B> {
  return Object.freeze({ kind: 'fact', version: 1, ...c })
}

/** A token that may stand in a NATS subject: our own ids only, never a stranger's text. */
const subjectToken = /^[A-Za-z0-9_-]{1,64}$/

/** The subject on which this body is published. Throws when the key is no safe token: that is a bug of ours. */
export function subjectOf<B extends TSchema>(contract: FactContract<B>, body: Static<B>): string {
  if (contract.key === undefined) return contract.subject
  const token = (body as Record<string, unknown>)[contract.key]
  if (typeof token !== 'string' || !subjectToken.test(token)) {
    throw new Error(`${contract.subject}: field ${contract.key} is no subject token`)
  }
  return `${contract.subject}.${token}`
}

/** The subject to subscribe to: every key. */
export function subjectPattern(contract: FactContract): string {
  return contract.key === undefined ? contract.subject : `${contract.subject}.*`
}
