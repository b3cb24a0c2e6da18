/**
 * Configuration revisions: KV bucket `config`, written by console only. A change goes round in two steps (ADR 80): every
 * instance of every service reads what is proposed and says whether it can; then the key `current`, which all of them
 * watch, is written.
 */
import Type, { type Static } from 'typebox'
import { fact, request } from './contract.ts'
import { Count, Foreign, Id, Instant, Name } from './values.ts'

export const ConfigApplied = fact({
  subject: 'config.v1.applied',
  body: Type.Object({
    revision: Count,
    by: Name,
    at: Instant,
    why: Type.Optional(Foreign),
    /** Set when an older revision came back. */
    rollbackOf: Type.Optional(Count),
  }),
  toldBy: ['console'],
  heardBy: ['edge-proxy', 'routing', 'presence', 'location', 'billing', 'console'],
})

const everyone = ['edge-proxy', 'routing', 'presence', 'location', 'billing'] as const

/** One process that follows the configuration. */
const Follower = {
  service: Name,
  instance: Id,
  /** The revision in force there; none before the first. */
  revision: Type.Optional(Count),
}
export const ConfigFollower = Type.Object(Follower)
export type ConfigFollower = Static<typeof ConfigFollower>

/** Who follows the configuration, and which revision is in force there. Every instance answers. */
export const ListConfigFollowers = request({
  subject: 'config.v1.followers',
  question: Type.Object({}),
  answer: ConfigFollower,
  timeoutMs: 1000,
  askedBy: ['console'],
  answeredBy: everyone,
})

/**
 * The first step: read what is proposed and be ready to take it over at once. `entry` is the revision of the bucket's key
 * `proposed`, so that nobody prepares another proposal than the one meant. Every instance answers; `refused` stops the change.
 */
export const PrepareConfiguration = request({
  subject: 'config.v1.prepare',
  question: Type.Object({ revision: Count, entry: Count }),
  answer: Type.Object({ ...Follower, refused: Type.Optional(Foreign) }),
  timeoutMs: 10_000,
  askedBy: ['console'],
  answeredBy: everyone,
})
