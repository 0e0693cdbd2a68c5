/** One choice of several. */

export function Select(props: {
  label: string;
  value: string | number;
  options: readonly (string | number)[];
  name?: (option: string | number) => string;
  disabled?: boolean;
  choose: (value: string) => void;
}) {
  const { label, value, options, name = String, disabled = false, choose } = props;
  return (
    <select
      aria-label={label}
      title={label}
      value={value}
      disabled={disabled}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {options.map((option) => (
        <option key={option} value={option}>
          {name(option)}
        </option>
      ))}
    </select>
  );
}
