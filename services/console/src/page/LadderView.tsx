import { Anchor, Code, Group, Paper, ScrollArea, Text, Title } from '@mantine/core'
import { useEffect, useState } from 'react'
import { type CallView, type Ladder, read } from './api.ts'

const columnWidth = 210
const rowHeight = 34
const left = 84

/** The ladder of one call: columns are parties, arrows are messages; a click shows the message. */
export function LadderView({ call }: { call: CallView }) {
  const [ladder, setLadder] = useState<Ladder>()
  const [failure, setFailure] = useState<string>()
  const [chosen, setChosen] = useState<number>()
  const key = `${call.callId} ${call.state} ${call.legs.map((l) => l.state).join()}`
  useEffect(() => {
    let current = true
    const load = () =>
      read<Ladder>(`/api/v1/calls/${encodeURIComponent(key.split(' ')[0] ?? '')}/ladder`).then(
        (l) => {
          if (!current) return
          setLadder(l)
          setFailure(undefined)
        },
        (e: Error) => current && setFailure(e.message),
      )
    void load()
    // captured messages are gathered for a moment before they are told
    const again = setTimeout(() => void load(), 700)
    return () => {
      current = false
      clearTimeout(again)
    }
  }, [key])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another call means another choice
  useEffect(() => setChosen(undefined), [call.callId])
  const arrow = chosen === undefined ? undefined : ladder?.arrows[chosen]
  return (
    <Paper withBorder p="md" radius="md" data-testid="ladder">
      <Group justify="space-between" mb="xs">
        <Title order={4}>
          {call.from} → {call.dialled}
        </Title>
        <Group gap="sm">
          <Text size="xs" c="dimmed">
            {call.callId}
          </Text>
          <Anchor size="xs" href={`/api/v1/calls/${encodeURIComponent(call.callId)}/pcap`} download>
            Download pcap
          </Anchor>
        </Group>
      </Group>
      {ladder ? (
        <ScrollArea>
          <LadderPicture ladder={ladder} chosen={chosen} choose={setChosen} />
        </ScrollArea>
      ) : (
        <Text c="dimmed">{failure ?? 'reading the messages …'}</Text>
      )}
      {arrow ? (
        <ScrollArea.Autosize mah={360} mt="sm">
          <Code block data-testid="message">
            {arrow.text}
          </Code>
        </ScrollArea.Autosize>
      ) : (
        ladder && (
          <Text size="xs" c="dimmed" mt="xs">
            Click an arrow to read the message.
          </Text>
        )
      )}
    </Paper>
  )
}

function LadderPicture({
  ladder,
  chosen,
  choose,
}: {
  ladder: Ladder
  chosen: number | undefined
  choose: (i: number) => void
}) {
  const x = (column: number): number => left + columnWidth / 2 + column * columnWidth
  const height = 48 + ladder.arrows.length * rowHeight
  const width = left + ladder.columns.length * columnWidth
  return (
    <svg
      width={width}
      height={height}
      role="img"
      aria-label="SIP ladder"
      style={{ fontFamily: 'system-ui, sans-serif', display: 'block' }}
    >
      <defs>
        <marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
          <path d="M0,0 L8,4 L0,8 z" fill="context-stroke" />
        </marker>
      </defs>
      {ladder.columns.map((name, i) => (
        <g key={name}>
          <text x={x(i)} y={20} textAnchor="middle" fontSize={13} fontWeight={600} fill="var(--mantine-color-text)">
            {name}
          </text>
          <line
            x1={x(i)}
            x2={x(i)}
            y1={30}
            y2={height}
            stroke="var(--mantine-color-default-border)"
            strokeWidth={i === 1 ? 2 : 1}
          />
        </g>
      ))}
      {ladder.arrows.map((a, i) => {
        const y = 58 + i * rowHeight
        const colour = colourOf(a.label)
        return (
          // biome-ignore lint/a11y/useSemanticElements: a button cannot stand inside an SVG
          <g
            key={`${a.offsetMs}-${a.from}-${a.to}-${a.label}-${a.legId}`}
            role="button"
            tabIndex={0}
            onClick={() => choose(i)}
            onKeyDown={(e) => e.key === 'Enter' && choose(i)}
            style={{ cursor: 'pointer' }}
          >
            <rect
              x={0}
              y={y - rowHeight + 12}
              width={width}
              height={rowHeight - 2}
              fill={chosen === i ? 'var(--mantine-color-blue-light)' : 'transparent'}
            />
            <text x={left - 10} y={y + 3} textAnchor="end" fontSize={11} fill="var(--mantine-color-dimmed)">
              {a.offsetMs.toFixed(1)} ms
            </text>
            <line
              x1={x(a.from)}
              x2={x(a.to)}
              y1={y}
              y2={y}
              stroke={colour}
              strokeWidth={1.6}
              strokeDasharray={a.retransmission ? '4 3' : undefined}
              markerEnd="url(#head)"
            />
            <text x={(x(a.from) + x(a.to)) / 2} y={y - 6} textAnchor="middle" fontSize={12} fill={colour}>
              {a.label}
              {a.retransmission ? ' again' : ''}
            </text>
          </g>
        )
      })}
    </svg>
  )
}

function colourOf(label: string): string {
  if (/^[456]\d\d/.test(label)) return 'var(--mantine-color-red-6)'
  if (/^2\d\d/.test(label)) return 'var(--mantine-color-teal-7)'
  if (/^[13]\d\d/.test(label)) return 'var(--mantine-color-gray-6)'
  if (/^(BYE|CANCEL)/.test(label)) return 'var(--mantine-color-orange-7)'
  return 'var(--mantine-color-blue-6)'
}
