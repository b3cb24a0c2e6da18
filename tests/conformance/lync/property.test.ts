/**
 * Random enterprises and calls: the product decides as the slow model does. `npm test` tries 3,000 calls;
 * TANDEM_PROPERTY_CASES=100000 tries that many, TANDEM_PROPERTY_SEED begins elsewhere.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { checkConfiguration } from '@tandem/config/check.ts'
import type { RouteDecision, RouteQuestion } from '@tandem/contracts/routing.ts'
import { compileTable } from '@tandem/routing/domain/compile-table.ts'
import { decideRoute } from '@tandem/routing/domain/decide-route.ts'
import { explainRoute } from '@tandem/routing/domain/explain.ts'
import type { NumberFacts } from '@tandem/routing/domain/number-facts.ts'
import type { RoutingTable } from '@tandem/routing/domain/table.ts'
import { sideBySide } from './compare.ts'
import { dice } from './dice.ts'
import type { Enterprise, Moment } from './enterprise.ts'
import { randomCall, randomMoment } from './random-call.ts'
import { randomEnterprise } from './random-enterprise.ts'
import { least, reached } from './reached.ts'
import { expectCall } from './slow-model.ts'
import { files, written } from './written-enterprise.ts'

const cases = Number(process.env.TANDEM_PROPERTY_CASES ?? 3000)
const firstSeed = Number(process.env.TANDEM_PROPERTY_SEED ?? 1)
const callsEach = 50

function tableOf(e: Enterprise, seed: number): RoutingTable {
  const checked = checkConfiguration({ files: [{ path: 'random.yaml', text: written(e) }], lint: false })
  assert.ok(checked.kind === 'ok', `seed ${seed}: ${JSON.stringify(checked.kind === 'bad' && checked.problems)}`)
  return compileTable(checked.configuration, { revision: 1, decks: files(e) })
}

function decide(question: RouteQuestion, table: RoutingTable, moment: Moment): RouteDecision {
  const poor = new Map(Object.entries(moment.poor).map(([name, probe]) => [name, { why: '', probe }]))
  return decideRoute(question, table, moment.at, { down: new Set(moment.down), poor, facts: factsOf(moment) })
}

const factsOf = ({ ported, names }: Moment): NumberFacts => ({
  ported: (number) => {
    const routingNumber = ported[number]
    return routingNumber === undefined ? undefined : { routingNumber, carrier: undefined }
  },
  nameOf: (number) => names[number],
})

test(`${cases} random calls through random enterprises are decided as the slow model of Lync decides them`, (t) => {
  const met = new Map<string, number>()
  for (let done = 0, seed = firstSeed; done < cases; seed++) {
    const d = dice(seed)
    const e = randomEnterprise(d)
    const table = tableOf(e, seed)
    for (let i = 0; i < callsEach && done < cases; i++, done++) {
      const moment = randomMoment(d)
      const question = randomCall(d, moment.at, `call-${seed}-${i}`)
      const expected = expectCall(e, question, moment)
      const { seen, right } = sideBySide(decide(question, table, moment), expected)
      if (!isDeepStrictEqual(seen, right))
        assert.deepEqual(
          seen,
          right,
          `seed ${seed}, call ${i}: ${JSON.stringify({ question, moment })} in ${written(e)}`,
        )
      for (const feature of reached(e, question, expected, moment)) met.set(feature, (met.get(feature) ?? 0) + 1)
    }
  }
  t.diagnostic(
    [...met]
      .map(([feature, n]) => `${feature} ${n}`)
      .sort()
      .join(', '),
  )
  // the dice must fall everywhere: each feature was met by its share of the calls
  for (const [feature, thousandths] of Object.entries(least)) {
    const n = met.get(feature) ?? 0
    assert.ok(n >= Math.floor((cases * thousandths) / 1000), `${feature}: ${n} of ${cases} calls only`)
  }
})

test('explain decides as the slow model does, and says of each place how full its trunk is', () => {
  let full = 0
  for (let done = 0, seed = firstSeed; done < cases / 20; seed++) {
    const d = dice(seed)
    const e = randomEnterprise(d)
    const table = tableOf(e, seed)
    for (let i = 0; i < 10; i++, done++) {
      const moment = { ...randomMoment(d), poor: {} }
      const { source, dialled, onBehalfOf, redirectedBy } = randomCall(d, moment.at, '')
      if (source.kind === 'unknown' || onBehalfOf !== undefined || redirectedBy !== undefined) continue
      const from = source.kind === 'user' ? source.user : source.trunk
      const number = source.kind === 'user' ? (e.users[from]?.did ?? from) : ''
      const site = source.kind === 'user' ? { site: e.users[from]?.site } : {}
      const question = {
        ...{ callId: 'what-if', sourceAddress: '', dialled, at: new Date(moment.at).toISOString() },
        ...{ requestUri: `sip:${encodeURIComponent(dialled)}@what-if.invalid`, from: { number } },
        source: { ...source, ...site } as RouteQuestion['source'],
      }
      const { decision, places = [] } = explainRoute({ from, dialled, at: question.at }, table, 0, {
        health: new Map(moment.down.map((name, n) => [name, n % 2 === 0 ? 'down' : 'drain'])),
        calls: new Map(Object.entries(moment.carried)),
        facts: factsOf(moment),
      })
      const { seen, right } = sideBySide(decision, expectCall(e, question, moment))
      assert.deepEqual(seen, right, `seed ${seed}: ${JSON.stringify({ question, moment })} in ${written(e)}`)
      const help = decision.kind === 'route' && decision.emergency
      for (const { trunk = '', admission } of places) {
        // R9: the edges hold to it, so it leaves the plan as it is; a call for help is never counted (R7)
        const limits = help ? undefined : e.trunks[trunk]?.limits
        const { calls, callsPerSecond, bandwidth } = limits ?? {}
        const carried = moment.carried[trunk]
        const expected = {
          ...(calls === undefined ? {} : { maxCalls: calls }),
          ...(callsPerSecond === undefined ? {} : { maxCallsPerSecond: callsPerSecond }),
          ...(bandwidth === undefined ? {} : { maxKbps: Number.parseInt(bandwidth, 10) }),
        }
        const some = Object.keys(expected).length > 0
        const isFull = calls !== undefined && (carried ?? 0) >= calls
        const counted = carried === undefined ? {} : { calls: carried }
        assert.deepEqual(admission, some ? { ...expected, ...counted, full: isFull } : undefined, `seed ${seed}`)
        full += Number(some && isFull)
      }
    }
  }
  assert.ok(full > cases / 1000, `${full} full trunks only`)
})
