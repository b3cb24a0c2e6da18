/** Makes the streams and buckets of libs/contracts and checks that the server took every setting. */

import {
  DiscardPolicy,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { type NatsConnection, nanos } from '@nats-io/nats-core'
import { buckets, type StreamPlan, streamSubjects, streams } from '@tandem/contracts/streams.ts'

function configurationOf(plan: StreamPlan, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
    name: plan.name,
    subjects: streamSubjects(plan),
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: replicas,
    max_age: nanos(plan.maxAgeMs),
    max_bytes: plan.maxBytes,
    duplicate_window: nanos(120_000),
    discard: plan.onePerSubject ? DiscardPolicy.New : DiscardPolicy.Old,
    ...(plan.onePerSubject ? { max_msgs_per_subject: 1, discard_new_per_subject: true } : {}),
  }
}

/** JetStream API error code. */
const streamNotFound = 10059

/** Settings that an older server ignores without a word. */
const echoed = ['max_msgs_per_subject', 'discard_new_per_subject', 'discard', 'max_age'] as const

/** Idempotent. Throws when the server lacks something that the platform relies on. */
export async function makeStreams(nc: NatsConnection, options: { replicas?: number } = {}): Promise<void> {
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const replicas = options.replicas ?? 1
  for (const plan of streams) {
    const wanted = configurationOf(plan, replicas)
    const made = await upsert()
    for (const key of echoed) {
      if (wanted[key] !== undefined && made.config[key] !== wanted[key]) {
        throw new Error(`nats-server ${nc.info?.version} ignored ${key} of stream ${plan.name}: need 2.9 or newer`)
      }
    }
    async function upsert() {
      try {
        await jsm.streams.info(plan.name)
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === streamNotFound) return await jsm.streams.add(wanted)
        throw error
      }
      return await jsm.streams.update(plan.name, wanted)
    }
  }
  for (const b of buckets) {
    await new Kvm(nc).create(b.name, {
      history: b.history,
      max_bytes: b.maxBytes,
      ...(b.maxAgeMs === undefined ? {} : { ttl: b.maxAgeMs }),
      replicas,
      allow_direct: false,
      storage: StorageType.File,
    })
  }
}
