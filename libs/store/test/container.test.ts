import { after, before, describe, test } from 'node:test'
import { reachableHost, whyNoContainer } from '@tandem/testing/containers.ts'
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers'
import { type Database, openDatabase } from '../src/database.ts'
import { testAnyBackend } from './any-backend.ts'

const image = 'postgres:17'
const reason = await whyNoContainer(image)

if (reason === undefined) {
  describe('a given PostgreSQL, in a container', () => {
    let container: StartedTestContainer
    let database: Database
    before(async () => {
      container = await new GenericContainer(image)
        .withEnvironment({ POSTGRES_PASSWORD: 'given', POSTGRES_USER: 'tandem', POSTGRES_DB: 'tandem' })
        .withExposedPorts(5432)
        .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections', 2))
        .start()
      const port = container.getMappedPort(5432)
      const url = `postgres://tandem:given@${await reachableHost(container, port)}:${port}/tandem`
      database = await openDatabase({ url })
    })
    after(async () => {
      await database?.close()
      await container?.stop()
    })
    testAnyBackend(() => database)
  })
} else {
  test('a given PostgreSQL, in a container', { skip: reason }, () => {})
}
