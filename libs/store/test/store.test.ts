import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Database, isDatabaseAway, openDatabase } from '../src/database.ts'
import { eraseEmbedded, findEmbedded, startEmbedded, stopEmbedded } from '../src/embedded.ts'
import { clusterPlaces } from '../src/embedded-cluster.ts'
import { isAlive } from '../src/embedded-process.ts'
import { testAnyBackend } from './any-backend.ts'

const dataFolder = mkdtempSync(join(tmpdir(), 'tandem-store-'))
let database: Database

before(async () => {
  database = await openDatabase({ dataFolder })
})

after(async () => {
  await database.pool.end()
  await eraseEmbedded({ dataFolder })
  rmSync(dataFolder, { recursive: true, force: true })
})

test('an embedded PostgreSQL 18 is made, answers on loopback and keeps its password in a 0600 file', async () => {
  const { rows } = await database.pool.query('SHOW server_version')
  assert.match(rows[0].server_version, /^18/)
  assert.equal(await database.answers(), true)
  const { passwordFile } = clusterPlaces(dataFolder)
  assert.equal(statSync(passwordFile).mode & 0o777, 0o600)
  const password = readFileSync(passwordFile, 'utf8').trim()
  assert.ok(database.url.includes(password))
  assert.equal(new URL(database.url).hostname, '127.0.0.1')
  const wrong = new URL(database.url)
  wrong.password = 'wrong'
  await assert.rejects(
    openDatabase({ url: wrong.href }).then((other) => other.pool.query('SELECT 1').finally(() => other.close())),
  )
})

testAnyBackend(() => database)

test('a server that is running is taken over, and found without starting one', async () => {
  const again = await startEmbedded({ dataFolder })
  assert.equal(again.adopted, true)
  assert.equal(again.pid, database.embedded?.pid)
  assert.equal((await findEmbedded({ dataFolder }))?.url, database.url)
})

test('after kill -9 the next start comes up on the same port with the data, and open pools recover', async () => {
  await database.pool.query('CREATE TABLE kept AS SELECT 42 AS answer')
  const lent = await database.pool.connect()
  process.kill(database.embedded?.pid as number, 'SIGKILL')
  // The children of a killed server notice within moments; until then they still answer.
  await assert.rejects(async () => {
    for (;;) await database.pool.query('SELECT pg_sleep(0.01)')
  }, isDatabaseAway)
  await assert.rejects(lent.query('SELECT 1'), isDatabaseAway)
  lent.release(true)
  const again = await startEmbedded({ dataFolder })
  assert.equal(again.url, database.url)
  assert.notEqual(again.pid, database.embedded?.pid)
  const { rows } = await database.pool.query('SELECT answer FROM kept')
  assert.deepEqual(rows, [{ answer: 42 }])
})

test('the server outlives a killed owner, is adopted by the next one, and stops cleanly', async () => {
  await stopEmbedded({ dataFolder })
  const embedded = new URL('../src/embedded.ts', import.meta.url).href
  const owner = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `const { startEmbedded } = await import(${JSON.stringify(embedded)}); const s = await startEmbedded({ dataFolder: ${JSON.stringify(dataFolder)} }); console.log(s.pid); setInterval(() => {}, 1000)`,
  ])
  const pid = Number(await new Promise((resolve) => owner.stdout.once('data', (text) => resolve(String(text)))))
  const gone = new Promise((resolve) => owner.once('exit', resolve))
  owner.kill('SIGKILL')
  await gone
  assert.equal(isAlive(pid), true)
  const adopted = await startEmbedded({ dataFolder })
  assert.deepEqual([adopted.pid, adopted.adopted], [pid, true])
  await adopted.stop()
  assert.equal(isAlive(pid), false)
  assert.equal(existsSync(join(clusterPlaces(dataFolder).data, 'postmaster.pid')), false)
  assert.equal(await stopEmbedded({ dataFolder }), false)
})

test('two processes that start at once end up with one server', async () => {
  const servers = await Promise.all([startEmbedded({ dataFolder }), startEmbedded({ dataFolder })])
  assert.equal(servers[0]?.pid, servers[1]?.pid)
})

test('a pid file of a killed server whose pid another process has got does not stop the start', async () => {
  await stopEmbedded({ dataFolder })
  const { data } = clusterPlaces(dataFolder)
  writeFileSync(join(data, 'postmaster.pid'), `${process.pid}\n${data}\n1\n5432\n\n127.0.0.1\n  1  1\nready   \n`)
  assert.equal(await findEmbedded({ dataFolder }), undefined)
  const server = await startEmbedded({ dataFolder })
  assert.equal(server.adopted, false)
})

test('the cluster of a temporary data folder that is gone does not stay behind', async () => {
  const gone = mkdtempSync(join(tmpdir(), 'tandem-store-gone-'))
  const { base } = clusterPlaces(gone)
  const server = await startEmbedded({ dataFolder: gone })
  await server.stop()
  rmSync(gone, { recursive: true })
  await startEmbedded({ dataFolder })
  assert.equal(existsSync(base), false)
})
