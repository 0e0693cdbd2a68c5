import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { View } from "../view.tsx";

export const ViewContext = createContext<View | null>(null);

export function useView(): View {
  const view = useContext(ViewContext);
  if (!view) throw new Error("a part was rendered outside of a view");
  return view;
}
