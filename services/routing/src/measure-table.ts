/**
 * What a table costs and how fast it decides, without the bus: started by `tandem bench routing` with the file of a
 * revision and of questions, prints one JSON object. Needs --expose-gc.
 */
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { readRevision } from '@tandem/config/revision.ts'
import type { RouteQuestion } from '@tandem/contracts/routing.ts'
import { compileAside } from './adapters/compile-aside.ts'
import { decideRoute } from './domain/decide-route.ts'
import { buildPrices, priceFinder, treeBytes } from './domain/price-tree.ts'

const MiB = 1024 * 1024
const rounds = 200_000

const [revisionFile = '', questionsFile = '', deckName = ''] = process.argv.slice(2)
const questions = JSON.parse(readFileSync(questionsFile, 'utf8')) as RouteQuestion[]
const collect = (globalThis as { gc?: () => void }).gc ?? (() => {})

function memory(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / MiB
}
const at = (sorted: Float64Array, share: number): number => sorted[Math.floor(sorted.length * share)] as number

const before = memory()
let bytes: Uint8Array | undefined = readFileSync(revisionFile)
const blocked = monitorEventLoopDelay({ resolution: 1 })
blocked.enable()
const began = performance.now()
const read = await compileAside(bytes)
const loadMs = performance.now() - began
blocked.disable()
if (read.kind === 'bad') throw new Error(read.why)
const { table } = read
bytes = undefined
const tableMiB = memory() - before

const times = new Float64Array(rounds)
for (let warm = 0; warm < 20_000; warm++)
  decideRoute(questions[warm % questions.length] as RouteQuestion, table, Date.now())
for (let i = 0; i < rounds; i++) {
  const question = questions[i % questions.length] as RouteQuestion
  const start = performance.now()
  decideRoute(question, table, Date.now())
  times[i] = (performance.now() - start) * 1000
}
times.sort()

const revision = readRevision(readFileSync(revisionFile))
const deck = revision.kind === 'ok' ? (revision.revision.decks[deckName] ?? '') : ''
const tree = buildPrices(deck)
const find = priceFinder(tree)
const digits = questions.map(({ dialled }) => dialled.replace(/^9|\+/g, ''))
const lookUps = 2_000_000
const now = Date.now()
let found = 0
const startLookUp = performance.now()
for (let i = 0; i < lookUps; i++) found += find(digits[i % digits.length] as string, now) === undefined ? 0 : 1
const lookUpNs = ((performance.now() - startLookUp) * 1e6) / lookUps

console.log(
  JSON.stringify({
    ...{ loadMs, blockedMs: blocked.max / 1e6, tableMiB, users: table.users.size, numbers: table.dids.size },
    ...{ decideP50Us: at(times, 0.5), decideP99Us: at(times, 0.99) },
    ...{ deckMiB: treeBytes(tree) / MiB, lookUpNs, found },
  }),
)
