/**
 * What each service may publish and subscribe on NATS: nothing but what its contracts say, its own inbox, and the
 * JetStream calls that reading those facts needs. Console alone makes streams and buckets.
 */
import { facts, requests } from './all.ts'
import { answerers, type ServiceName, subjectPattern } from './contract.ts'
import { buckets, streams } from './streams.ts'

export interface Permissions {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

/** Replies come back here and nowhere else, so that no service can read another's answers. */
export function inboxPrefix(service: ServiceName): string {
  return `_INBOX.${service}`
}

function readStream(stream: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
    `$JS.API.CONSUMER.DELETE.${stream}.>`,
    `$JS.ACK.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ]
}

export function permissionsOf(service: ServiceName): Permissions {
  const publish = new Set<string>()
  const subscribe = new Set<string>([`${inboxPrefix(service)}.>`])
  for (const r of requests) {
    if (r.askedBy.includes(service)) publish.add(r.subject)
    if (answerers(r).includes(service)) {
      subscribe.add(r.subject)
      // An answer goes to the inbox of a service that may ask. (`allow_responses` would let only the one reply through,
      // but nats-server keeps a list for it of every message that carries a reply subject, JetStream deliveries too,
      // and walks it at each delivery: ten times the cost of the delivery itself.)
      for (const asker of r.askedBy) publish.add(`${inboxPrefix(asker)}.>`)
    }
  }
  for (const f of facts) {
    if (f.toldBy.includes(service)) publish.add(subjectPattern(f))
    if (f.heardBy.includes(service)) subscribe.add(subjectPattern(f))
  }
  publish.add('$JS.API.INFO')
  if (service === 'console') {
    publish.add('$JS.API.>').add('$JS.ACK.>').add('$JS.FC.>')
  } else {
    for (const s of streams) {
      if (s.facts.some((f) => f.heardBy.includes(service))) for (const p of readStream(s.name)) publish.add(p)
    }
    for (const b of buckets)
      if ((b.readBy ?? [service]).includes(service)) for (const p of readStream(`KV_${b.name}`)) publish.add(p)
  }
  for (const b of buckets) {
    if (!b.writtenBy.includes(service)) continue
    publish.add(`$KV.${b.name}.>`)
    // a value that is over goes without leaving a marker (bucket.ts, `drop`)
    if (b.readBy !== undefined) publish.add(`$JS.API.STREAM.MSG.DELETE.KV_${b.name}`)
  }
  return { publish: [...publish].sort(), subscribe: [...subscribe].sort() }
}
