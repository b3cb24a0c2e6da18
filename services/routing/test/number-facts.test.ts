/** ADR 81: portability and caller names come from files or over HTTP, outside the call path, and show in explain. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createLogger } from '@tandem/observability/log.ts'
import { workWatch } from '@tandem/testing/when-busy.ts'
import { keepFacts } from '../src/adapters/keep-facts.ts'
import { compileTable } from '../src/domain/compile-table.ts'
import { decideRoute } from '../src/domain/decide-route.ts'
import { explainRoute } from '../src/domain/explain.ts'
import { type NumberFacts, readNames, readPorted } from '../src/domain/number-facts.ts'
import { acme, ask, configurationWith, from, plan, tuesday } from './acme.ts'

const log = createLogger({ service: 'routing', level: 'silent' })
const ported = readPorted(
  'number,routingNumber,carrier\n+12065550100,+15095550000,Spokane Tel\n12065550101,15095550001\nx,y\n',
)
const names = readNames(
  'number,name\n+12125550123,"GRACE ""AMAZING"" HOPPER"\n12125550124,"Turing, Alan"\n+12125550125,\n',
)
const facts: NumberFacts = {
  ported: (number) => ported.facts.get(number),
  nameOf: (number) => names.facts.get(number),
}

test('the files are read with or without plus and header; rows that say nothing are counted', () => {
  assert.deepEqual(ported.facts.get('+12065550101'), { routingNumber: '+15095550001', carrier: undefined })
  assert.deepEqual([ported.facts.size, ported.wrong], [2, 1])
  assert.equal(names.facts.get('+12125550123'), 'GRACE "AMAZING" HOPPER')
  assert.equal(names.facts.get('+12125550124'), 'Turing, Alan')
  assert.deepEqual([names.facts.size, names.wrong], [2, 1])
})

const header = 'prefix,name,connect,perMinute,from,to'
const table = compileTable(
  configurationWith(
    ['usages: [local],         trunks: [itsp-a, itsp-b]', 'usages: [local], trunks: [itsp-a, itsp-b], select: cost'],
    ['cost: itsp-b-bandwidth', 'cost: itsp-b-minutes'],
    ['rateDecks:', 'rateDecks:\n  itsp-b-minutes: { kind: per-minute, currency: USD, file: b.csv }'],
  ),
  {
    revision: 1,
    decks: {
      'rates/itsp-a.csv': `${header}\n1206,Seattle,0,0.001,,\n1509,Spokane,0,0.009,,`,
      'b.csv': `${header}\n1206,Seattle,0,0.002,,\n1509,Spokane,0,0.003,,`,
    },
  },
)
const first = (more: { facts?: NumberFacts }) => {
  const [attempt] = plan(decideRoute(ask(from.bob, '912065550100'), table, tuesday, more)).branches[0]?.attempts ?? []
  return attempt?.kind === 'trunk' ? `${attempt.trunk} ${attempt.called}` : undefined
}

test('the cheapest trunk is that for the carrier who serves the number now; the number dialled stays', () => {
  assert.equal(first({}), 'itsp-a 12065550100')
  assert.equal(first({ facts }), 'itsp-b +12065550100')
})
test('explain shows it, with the price that it means', () => {
  const { steps, places = [] } = explainRoute({ from: 'bob', dialled: '912065550100' }, table, tuesday, { facts })
  const said = steps.find(({ item }) => item === 'number +12065550100')
  assert.equal(said?.detail, 'is ported: priced as +15095550000, which Spokane Tel serves')
  assert.deepEqual(
    places.map(({ trunk, cost }) => `${trunk} ${cost?.perMinute}`),
    ['itsp-b 0.003', 'itsp-a 0.009'],
  )
})
test('a caller without a name, or with the number as name, is shown by the name that is known', () => {
  const display = (sent: string | undefined, more = {}) =>
    plan(
      decideRoute(
        ask(from.itspA, '+14255551002', {
          from: { number: '12125550123', ...(sent === undefined ? {} : { display: sent }) },
          ...more,
        }),
        acme,
        tuesday,
        { facts },
      ),
    ).caller.display
  assert.equal(display(undefined), 'GRACE "AMAZING" HOPPER')
  assert.equal(display('+1 (212) 555-0123'), 'GRACE "AMAZING" HOPPER')
  assert.equal(display('Grace'), 'Grace', 'what the carrier sends goes before')
  assert.equal(display(undefined, { privacy: true }), undefined, 'who wants to stay unknown does (RFC 3323)')
})

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !condition(); tries++) await pause(10)
  assert.ok(condition(), 'did not come about within 10 s')
}
const none = { portability: null, callerNames: null }

test('a file and an HTTP source are read, and again; a source that is away leaves what was read last', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'tandem-facts-')), 'ported.csv')
  await writeFile(file, 'number,routingNumber\n+12065550100,+15095550000\n')
  let body = 'number,name\n+12125550123,GRACE\n'
  let status = 200
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.writeHead(status).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const kept = keepFacts(log)
  try {
    const source = `http://127.0.0.1:${(server.address() as AddressInfo).port}/names.csv`
    const callerNames = { source, refreshMs: 20 }
    kept.configured({ portability: { source: `file://${file}`, refreshMs: 3_600_000 }, callerNames })
    await until(() => kept.facts.ported('+12065550100') !== undefined && kept.facts.nameOf('+12125550123') === 'GRACE')
    body = 'number,name\n+12125550123,GRACE HOPPER\n'
    await until(() => kept.facts.nameOf('+12125550123') === 'GRACE HOPPER')
    status = 503
    const before = asked
    await until(() => asked > before)
    await pause(50)
    assert.equal(kept.facts.nameOf('+12125550123'), 'GRACE HOPPER')
    kept.configured(none)
    assert.equal(kept.facts.nameOf('+12125550123'), undefined, 'taken out of the configuration')
  } finally {
    kept.stop()
    server.close()
    server.closeAllConnections()
  }
})
test('a source that hangs is waited for by nobody', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const kept = keepFacts(log)
  try {
    const source = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    kept.configured({ ...none, portability: { source, refreshMs: 1000 } })
    const took = workWatch()
    assert.equal(first({ facts: kept.facts }), 'itsp-a 12065550100')
    assert.ok(took() < 100, `${took()} ms`)
  } finally {
    kept.stop()
    server.close()
    server.closeAllConnections()
  }
})
