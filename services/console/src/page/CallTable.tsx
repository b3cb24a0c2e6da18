import { Badge, Table, Text } from '@mantine/core'
import type { CallView } from './api.ts'
import { useNow } from './live.ts'

const colours = { trying: 'gray', ringing: 'yellow', up: 'teal', ended: 'gray' } as const

export function CallTable({
  calls,
  chosen,
  choose,
}: {
  calls: CallView[]
  chosen: string | undefined
  choose: (id: string) => void
}) {
  const now = useNow()
  if (calls.length === 0) {
    return (
      <Text c="dimmed" p="md">
        No calls in the last hour. Dial something: tandem call --from alice --to 912065550100
      </Text>
    )
  }
  return (
    <Table highlightOnHover stickyHeader verticalSpacing={6} data-testid="calls">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>State</Table.Th>
          <Table.Th>From</Table.Th>
          <Table.Th>To</Table.Th>
          <Table.Th>Through</Table.Th>
          <Table.Th>Since</Table.Th>
          <Table.Th ta="right">MOS</Table.Th>
          <Table.Th ta="right">Duration</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {calls.map((c) => (
          <Table.Tr
            key={c.callId}
            onClick={() => choose(c.callId)}
            tabIndex={0}
            onKeyDown={(e) => e.key === 'Enter' && choose(c.callId)}
            style={{
              cursor: 'pointer',
              ...(c.callId === chosen ? { background: 'var(--mantine-color-blue-light)' } : {}),
            }}
            data-call={c.callId}
          >
            <Table.Td>
              <Badge
                miw="max-content"
                color={c.emergency ? 'red' : colours[c.state]}
                variant={c.state === 'ended' ? 'light' : 'filled'}
              >
                {c.emergency ? `911 ${c.state}` : outcome(c)}
              </Badge>
            </Table.Td>
            <Table.Td>
              {c.user ?? ''}{' '}
              <Text span c="dimmed" size="sm">
                {c.from}
              </Text>
            </Table.Td>
            <Table.Td>
              {c.to ?? c.dialled}{' '}
              {c.to !== undefined && c.to !== c.dialled && (
                <Text span c="dimmed" size="sm">
                  {c.dialled}
                </Text>
              )}
            </Table.Td>
            <Table.Td>{through(c)}</Table.Td>
            <Table.Td>{new Date(c.startedAt).toLocaleTimeString([], { hour12: false })}</Table.Td>
            <Table.Td ta="right" ff="monospace" title="the worst of all legs and directions">
              {worstMos(c)?.toFixed(2) ?? '–'}
            </Table.Td>
            <Table.Td ta="right" ff="monospace">
              {duration(c, now)}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}

function outcome(c: CallView): string {
  if (c.state !== 'ended') return c.state
  const caller = c.legs.find((l) => l.role === 'caller')
  return caller?.answeredAt === undefined ? `ended ${caller?.sipStatus ?? ''}` : 'ended'
}

/** The far ends in the order tried. */
function through(c: CallView): string {
  const name = (p: CallView['legs'][number]['party']): string =>
    p.kind === 'user' ? p.user : p.kind === 'trunk' ? p.trunk : p.address
  return c.legs.map((l) => (l.role === 'mobile' ? `${name(l.party)} (mobile)` : name(l.party))).join(' → ')
}

/** Of a call that is up it is as of the last minute. */
function worstMos(c: CallView): number | undefined {
  const known = c.legs
    .flatMap(({ media }) => [media?.received.mos, media?.sent.mos])
    .filter((mos): mos is number => mos !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

function duration(c: CallView, now: number): string {
  const ms =
    c.durationMs ?? (c.state === 'up' && c.answeredAt !== undefined ? now - Date.parse(c.answeredAt) : undefined)
  if (ms === undefined) return '–'
  const s = Math.max(0, Math.round(ms / 1000))
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}
