import { after, before, describe, test } from 'node:test'
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers'
import { type Database, openDatabase } from '../src/database.ts'
import { testAnyBackend } from './any-backend.ts'

const engine = await getContainerRuntimeClient().then(
  () => true,
  () => false,
)

if (engine) {
  describe('a given PostgreSQL, in a container', () => {
    let container: StartedTestContainer
    let database: Database
    before(async () => {
      container = await new GenericContainer('postgres:17')
        .withEnvironment({ POSTGRES_PASSWORD: 'given', POSTGRES_USER: 'tandem', POSTGRES_DB: 'tandem' })
        .withExposedPorts(5432)
        .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections', 2))
        .start()
      const url = `postgres://tandem:given@${container.getHost()}:${container.getMappedPort(5432)}/tandem`
      database = await openDatabase({ url })
    })
    after(async () => {
      await database?.close()
      await container?.stop()
    })
    testAnyBackend(() => database)
  })
} else {
  test('a given PostgreSQL, in a container', { skip: 'no Docker engine answers on this machine' }, () => {})
}
