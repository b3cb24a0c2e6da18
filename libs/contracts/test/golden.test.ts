import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { facts, requests } from '@tandem/contracts/all.ts'
import { asyncApiDocument } from '@tandem/contracts/asyncapi.ts'
import { CallEnded } from '@tandem/contracts/call.ts'
import { serviceNames, subjectOf, subjectPattern } from '@tandem/contracts/contract.ts'
import { permissionsOf } from '@tandem/contracts/permissions.ts'
import { buckets, streamSubjects, streams } from '@tandem/contracts/streams.ts'
import { Compile } from 'typebox/compile'

const golden = new URL('../golden/', import.meta.url)
const documents = [
  ...requests.flatMap((r) => [
    { name: `${r.subject}.question`, schema: r.question },
    { name: `${r.subject}.answer`, schema: r.answer },
  ]),
  ...facts.map((f) => ({ name: f.subject, schema: f.body })),
]

interface Schema {
  type?: string
  required?: string[]
  properties?: Record<string, Schema>
  anyOf?: Schema[]
  allOf?: Schema[]
  items?: Schema | Schema[]
}

/** What a new schema breaks for somebody who speaks the golden one. Adding an optional field is no break. */
function breaks(old: Schema, now: Schema, path: string): string[] {
  if (old.type !== now.type) return [`${path}: type ${old.type} became ${now.type}`]
  const required = (now.required ?? [])
    .filter((k) => !(old.required ?? []).includes(k))
    .map((k) => `${path}.${k} became required`)
  const optional = (old.required ?? [])
    .filter((k) => !(now.required ?? []).includes(k))
    .map((k) => `${path}.${k} is not promised any more`)
  const inside = Object.entries(old.properties ?? {}).flatMap(([k, v]) => {
    const after = now.properties?.[k]
    return after ? breaks(v, after, `${path}.${k}`) : [`${path}.${k} is gone`]
  })
  const branches = (['anyOf', 'allOf'] as const).flatMap((key) =>
    (old[key] ?? []).flatMap((b, i) => {
      const after = now[key]?.[i]
      return after ? breaks(b, after, `${path}(${i})`) : [`${path}: branch ${i} is gone`]
    }),
  )
  const items =
    old.items && !Array.isArray(old.items) && now.items && !Array.isArray(now.items)
      ? breaks(old.items, now.items, `${path}[]`)
      : []
  return [...required, ...optional, ...inside, ...branches, ...items]
}

for (const { name, schema } of documents) {
  test(`${name} still speaks version 1 as its golden file has it`, () => {
    const old = JSON.parse(readFileSync(new URL(`${name}.golden.json`, golden), 'utf8')) as {
      schema: Schema
      example: unknown
    }
    assert.ok(Compile(schema).Check(old.example), 'the golden example is valid')
    assert.deepEqual(breaks(old.schema, JSON.parse(JSON.stringify(schema)) as Schema, name), [])
  })
}

test('the check of golden files notices a field that went and one that became required', () => {
  const old: Schema = { type: 'object', required: ['a'], properties: { a: { type: 'string' }, b: { type: 'string' } } }
  assert.deepEqual(breaks(old, { type: 'object', required: ['a', 'b'], properties: { b: { type: 'string' } } }, 'x'), [
    'x.b became required',
    'x.a is gone',
  ])
})

test('there is no golden file without a contract', () => {
  const names = new Set(documents.map((d) => `${d.name}.golden.json`))
  assert.deepEqual(
    readdirSync(golden).filter((f) => !names.has(f)),
    [],
  )
})

test('subjects are named <domain>.v1.<verb> and no stream catches an ask', () => {
  const all = [...requests.map((r) => r.subject), ...facts.map((f) => f.subject)]
  assert.equal(new Set(all).size, all.length)
  for (const s of all) assert.match(s, /^[a-z]+\.v1\.[a-z-]+$/)
  const caught = new Set(streams.flatMap(streamSubjects))
  for (const r of requests) assert.ok(!caught.has(r.subject), r.subject)
  for (const s of caught) assert.doesNotMatch(s, />/)
})

test('a key that is no subject token never becomes part of a subject', () => {
  assert.throws(() => subjectOf(CallEnded, { legId: 'a.b' } as never))
  assert.throws(() => subjectOf(CallEnded, { legId: '>' } as never))
  assert.equal(subjectOf(CallEnded, { legId: 'ok-1' } as never), 'call.v1.ended.ok-1')
})

test('a fact is told only by its teller and JetStream is administered only by console', () => {
  for (const s of serviceNames) {
    const { publish } = permissionsOf(s)
    for (const f of facts) assert.equal(publish.includes(subjectPattern(f)), f.toldBy.includes(s), `${s} ${f.subject}`)
    assert.equal(publish.includes('$JS.API.>'), s === 'console')
    assert.deepEqual(
      publish.filter((p) => p.startsWith('$KV.')),
      buckets.flatMap((b) => (b.writtenBy.includes(s) ? [`$KV.${b.name}.>`] : [])).sort(),
    )
    // who is up, and the keys of their media, is the business of the edges alone
    assert.equal(
      publish.some((p) => p.includes('KV_calls')),
      s === 'edge-proxy',
    )
  }
})

test('the published AsyncAPI document is the one of these contracts', () => {
  const published = readFileSync(new URL('../../../docs/asyncapi.json', import.meta.url), 'utf8')
  assert.deepEqual(
    JSON.parse(published),
    JSON.parse(JSON.stringify(asyncApiDocument())),
    'run node libs/contracts/scripts/generate.ts',
  )
})
