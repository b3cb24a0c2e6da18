// npm test: sets up what is missing, then everything that must hold, and closes with "N passed, N failed, N skipped".
// Plain Node: it runs before there is a Node 24. Arguments are paths of test files to run instead of all.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SetupError, setup } from './setup.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
try {
  const { node, missing } = await setup({ tests: true })
  const child = spawn(node, [join(root, 'scripts', 'run-tests.mjs'), ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      // every process of the tests finds Node 24 and the system's servers first
      PATH: [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH, '/usr/sbin', '/usr/local/sbin'].join(
        ':',
      ),
      TANDEM_TEST_MISSING: JSON.stringify(missing),
      TURBO_TELEMETRY_DISABLED: '1',
      DO_NOT_TRACK: '1',
    },
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => process.exit(code ?? 1))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(error.message)
  console.log('0 passed, 1 failed, 0 skipped')
  process.exit(1)
}
