/** A value larger than a message is written whole or not at all, and read whole by everybody who watches its key. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { Bucket } from '@tandem/bus/bucket.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'

let nats: PrivateNats
let writer: Bucket
let reader: Bucket
before(async () => {
  nats = await startPrivateNats()
  writer = await (await nats.bus('console')).bucket('config')
  reader = await (await nats.bus('routing')).bucket('config')
})
after(() => nats.close())

/** Does not pack well: many parts. */
const large = (megabytes: number) => randomBytes(megabytes * 1_500_000).toString('base64')

test('12 MB under one key: a reader with the rights of a service gets them as they were written', async () => {
  const text = large(6)
  const revision = await writer.put('current', text)
  const found = await reader.get('current')
  assert.equal(found?.revision, revision)
  assert.ok(Buffer.from(found?.value ?? []).toString() === text, 'not what was written')
})
test('who watches the key hears of the whole value, old or new, never of a piece', async () => {
  const heard: string[] = []
  const stop = reader.watch('current', (entry) => void heard.push(Buffer.from(entry?.value ?? []).toString()))
  const [one, two] = [large(2), large(3)]
  const first = await writer.put('current', one)
  assert.equal(await writer.update('current', two, first - 1), undefined, 'somebody was faster')
  assert.ok(await writer.update('current', two, first))
  await writer.put('current', 'small again')
  for (let i = 0; i < 500 && heard.at(-1) !== 'small again'; i++) await new Promise((done) => setTimeout(done, 20))
  await stop()
  assert.ok(heard.every((text) => [one, two, 'small again'].includes(text) || text.length === 12_000_000))
  assert.equal(heard.at(-1), 'small again')
  assert.ok(heard.includes(two))
})
test('parts that nobody names any more are swept away, the others stay', async () => {
  await writer.put('revision.1', large(1))
  const kept = large(1)
  await writer.put('revision.2', kept)
  await writer.put('current', kept)
  await writer.sweep(['current', 'revision.2'])
  assert.ok(Buffer.from((await reader.get('revision.2'))?.value ?? []).toString() === kept)
  await assert.rejects(reader.get('revision.1'), /are gone/)
  const parts = await writer.keys('part.>')
  assert.ok(
    parts.length >= 2 && new Set(parts.map((key) => key.split('.')[1])).size === 1,
    'the same value is there once',
  )
})
