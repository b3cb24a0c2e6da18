import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openIncidentFile } from '../src/adapters/incident-file.ts'
import { addressLine, deskText, startedEntry } from '../src/domain/emergency-story.ts'
import { brokenAt, chain, createIncidentLog, GENESIS, type IncidentEntry } from '../src/domain/incident.ts'

const place = {
  ref: 'hq-2-201',
  civic: {
    country: 'US',
    A1: 'WA',
    A3: 'Redmond',
    PRD: 'NE',
    RD: '36th',
    STS: 'St',
    HNO: '15010',
    PC: '98052',
    BLD: '1',
    FLR: '2',
    ROOM: '201',
  },
}
const started = {
  ...{
    callId: 'c1',
    legId: 'l1',
    at: '2026-11-23T18:00:00.000Z',
    test: false,
    dialled: '911',
    user: 'alice',
    display: 'Alice',
  },
  ...{
    callback: '+14255551001',
    site: 'hq',
    sourceAddress: '127.0.0.1',
    place,
    source: 'static',
    routeClass: 'direct' as const,
  },
  standingOrder: [],
}

function someEntries(): IncidentEntry[] {
  const entries: IncidentEntry[] = []
  for (const [i, what] of ['dialled', 'sent', 'answered', 'ended'].entries())
    entries.push(
      chain(entries.at(-1)?.hash ?? GENESIS, { callId: `c${i % 2}`, at: `2026-11-23T18:00:0${i}.000Z`, what }),
    )
  return entries
}

test('L18: whatever is changed, left out, put in or reordered breaks the chain', () => {
  const good = someEntries()
  assert.equal(brokenAt(good), undefined)
  for (const [i, entry] of good.entries()) {
    assert.equal(brokenAt(good.with(i, { ...entry, what: `${entry.what}!` })), i)
    assert.equal(brokenAt(good.with(i, { ...entry, about: { test: true } })), i)
    if (i < good.length - 1) assert.equal(brokenAt(good.toSpliced(i, 1)), i)
  }
  assert.equal(brokenAt([...good].reverse()), 0)
  assert.equal(brokenAt(good.toSpliced(1, 0, good[0] as IncidentEntry)), 1)
})

test('the order of keys in the head of an incident does not change its hash', () => {
  const head = { callId: 'c', at: 't', what: 'w' }
  const a = chain(GENESIS, { ...head, about: { test: false, user: 'alice', place } })
  const b = chain(GENESIS, {
    ...head,
    about: { place: { civic: place.civic, ref: place.ref }, user: 'alice', test: false },
  })
  assert.equal(a.hash, b.hash)
})

test('the same fact twice is one entry; incidents come newest first', () => {
  const log = createIncidentLog([])
  const { entry, key } = startedEntry(started)
  assert.ok(log.add(entry, key))
  assert.equal(log.add(entry, key), undefined)
  log.add({ callId: 'c2', at: '2026-11-23T19:00:00.000Z', what: 'later' }, 'x')
  assert.deepEqual(
    log.list(10).map((i) => i.callId),
    ['c2', 'c1'],
  )
  const [, first] = log.list(10)
  assert.deepEqual(
    [first?.user, first?.callback, first?.place, first?.entries.length],
    ['alice', '+14255551001', place, 1],
  )
  assert.doesNotMatch(first?.entries[0]?.what ?? '', /36th|15010/)
})

test('the file keeps every entry over a restart, for its owner only, and shows what was changed in it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-incidents-'))
  try {
    const first = await openIncidentFile(folder)
    const log = createIncidentLog(first.kept)
    for (const what of ['one', 'two', 'three']) {
      const entry = log.add({ callId: 'c1', at: '2026-11-23T18:00:00.000Z', what }, what)
      assert.ok(entry)
      await first.append({ ...entry, key: what })
    }
    await first.close()
    const path = join(folder, 'incidents.jsonl')
    assert.equal((await stat(path)).mode & 0o777, 0o600)

    await appendFile(path, '{"callId":"c1","cut')
    const second = await openIncidentFile(folder)
    assert.match(second.trouble ?? '', /cut off/)
    const again = createIncidentLog(second.kept)
    assert.ok(again.has('c1', 'three'))
    const fourth = again.add({ callId: 'c1', at: '2026-11-23T18:00:01.000Z', what: 'four' }, 'four')
    assert.ok(fourth)
    await second.append({ ...fourth, key: 'four' })
    await second.close()
    const reopened = await openIncidentFile(folder)
    await reopened.close()
    assert.equal(reopened.kept.length, 4)

    await writeFile(path, (await readFile(path, 'utf8')).replace('"two"', '"TWO"'))
    const third = await openIncidentFile(folder)
    await third.close()
    assert.match(third.trouble ?? '', /chain breaks at entry 2/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('L16: the desk reads what the PSAP is sent', () => {
  assert.equal(addressLine(place), 'building 1, floor 2, room 201, 15010 NE 36th St, Redmond WA 98052 US')
  assert.equal(addressLine({ point: { latitude: 47, longitude: -122, radius: 19.6 } }), '47, -122 within 20 m')
  assert.equal(addressLine({ ref: 'nameless' }), 'nameless')
  const text = deskText(started)
  for (const part of ['EMERGENCY CALL', 'alice (Alice)', '911', 'room 201', '+14255551001', 'c1'])
    assert.ok(text.includes(part), part)
  assert.match(deskText({ ...started, test: true }), /^TEST of an emergency call/)
})
