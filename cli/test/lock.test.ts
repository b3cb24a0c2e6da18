import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '../src/failure.ts'
import { takeLock } from '../src/up/lock.ts'
import { identify, isSame } from '../src/up/process-identity.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'tandem-lock-'))

test('a lock is held once and given back', () => {
  const run = folder()
  const lock = takeLock(run, '/data')
  assert.equal(lock.stale, null)
  assert.throws(
    () => takeLock(run, '/data'),
    (error) =>
      error instanceof Failure &&
      /runs already on \/data \(process \d+\)/.test(error.message) &&
      /tandem down/.test(error.remedy),
  )
  lock.release()
  assert.equal(existsSync(join(run, 'lock')), false)
  takeLock(run, '/data').release()
})

test('the lock of a process that was killed is stale and taken over', async () => {
  const run = folder()
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  const holder = identify(child.pid as number)
  writeFileSync(join(run, 'lock'), JSON.stringify(holder))
  assert.throws(() => takeLock(run, '/data'), Failure)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = takeLock(run, '/data')
  assert.equal(lock.stale?.pid, holder.pid)
  lock.release()
})

test('a later process with the same pid is not mistaken for the holder', () => {
  const run = folder()
  const earlier = { ...identify(process.pid), birth: 'long ago' }
  assert.equal(isSame(earlier), false)
  writeFileSync(join(run, 'lock'), JSON.stringify(earlier))
  takeLock(run, '/data').release()
})

test('a lock file that is cut off is taken over', () => {
  const run = folder()
  writeFileSync(join(run, 'lock'), '{"pid":')
  takeLock(run, '/data').release()
})
