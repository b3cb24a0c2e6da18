import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Part, type PartPlan } from '../src/up/part.ts'
import { isSame } from '../src/up/process-identity.ts'

function plan(script: string, more: Partial<PartPlan> = {}): PartPlan {
  return {
    name: 'part',
    command: process.execPath,
    arguments: () => ['-e', script],
    environment: () => ({ PATH: process.env.PATH }),
    log: join(mkdtempSync(join(tmpdir(), 'tandem-part-')), 'part.log'),
    ready: async () => {},
    stopSignal: 'SIGTERM',
    stopWithinMs: 300,
    ...more,
  }
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((done) => setTimeout(done, 10))
}

const STAY = 'setInterval(() => {}, 1000)'
const STUBBORN = `process.on('SIGTERM', () => {}); console.log('here'); ${STAY}`

test('a part that is killed is started again, and said', async () => {
  const said: string[] = []
  const part = new Part(plan(STAY), { changed: () => {}, gaveUp: () => {}, ended: (why) => said.push(why) })
  part.start()
  await until(() => part.state === 'ready')
  const first = part.identity
  assert.ok(first)
  process.kill(first.pid, 'SIGKILL')
  await until(() => part.restarts === 1 && part.state === 'ready')
  assert.notEqual(part.identity?.pid, first.pid)
  assert.deepEqual(said, ['signal SIGKILL'])
  await part.stop()
  assert.equal(part.state, 'stopped')
})

test('a part that ends three times before it was ready is given up, with the end of its log', async () => {
  const part = await new Promise<Part>((done) => {
    const made: Part = new Part(
      plan(`console.error('no such thing'); process.exit(3)`, { ready: () => new Promise(() => {}) }),
      {
        changed: () => {},
        ended: () => {},
        gaveUp: () => done(made),
      },
    )
    made.start()
  })
  assert.equal(part.state, 'given up')
  assert.deepEqual(part.lastLines(1), ['no such thing'])
})

test('a part that does not stop when asked is killed', async () => {
  const part: Part = new Part(
    plan(STUBBORN, {
      ready: async () => until(() => part.lastLines(1)[0] === 'here'),
    }),
    { changed: () => {}, ended: () => {}, gaveUp: () => {} },
  )
  part.start()
  await until(() => part.state === 'ready')
  const identity = part.identity
  assert.ok(identity)
  await part.stop()
  assert.equal(isSame(identity), false)
})
