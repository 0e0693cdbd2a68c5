/** One choice of several. */

export function Select(props: {
  label: string;
  value: string | number;
  options: readonly (string | number)[];
  name?: (option: string | number) => string;
  choose: (value: string) => void;
}) {
  const { label, value, options, name = String, choose } = props;
  return (
    <select aria-label={label} title={label} value={value} onChange={(event) => choose(event.currentTarget.value)}>
      {options.map((option) => (
        <option key={option} value={option}>
          {name(option)}
        </option>
      ))}
    </select>
  );
}
