//! Where the panels are: a tree of splits and tabs that people drag about, close, reopen and find again at the next start.
//! In a narrow window, as on a phone, one panel at a time under one row of tabs; the tree waits for a wider one.

use super::tabs;
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::theme::Theme;
use egui::scroll_area::{ScrollAreaOutput, ScrollBarVisibility};
use egui::{
    Align2, Button, Frame, Id, Margin, RichText, Role, ScrollArea, Sense, Stroke, Ui, Visuals, WidgetInfo, WidgetText,
    vec2,
};
use egui_tiles::{
    Behavior, Container, Linear, LinearDir, ResizeState, SimplificationOptions, TabState, Tile, TileId, Tiles, Tree,
    UiResponse,
};
use std::collections::BTreeSet;

/// Panels that share a place: one that was closed comes back beside its neighbours.
const GROUPS: [&[PanelKind]; 3] = [
    &[PanelKind::Model, PanelKind::Tasks, PanelKind::Training],
    &[PanelKind::Forgetting, PanelKind::Paths, PanelKind::Landscape],
    &[PanelKind::Buffer, PanelKind::Runs, PanelKind::Generate, PanelKind::Log],
];

/// A window below this width, in points, has no room for two panels beside each other.
const NARROW: f32 = 640.0;

/// The tree of panels.
pub struct Docking {
    tree: Tree<PanelKind>,
    narrow: bool,
    /// The one that a narrow window shows.
    front: PanelKind,
    /// The one whose tab was brought into sight there.
    in_sight: Option<PanelKind>,
    /// Where somebody wants that row of tabs to begin.
    row_from: Option<f32>,
}

/// Three groups, for a window of 1280 by 800: what is trained and how on the left; on the right what is forgotten, wide
/// enough for two matrices, over the buffer and the runs.
fn first_layout() -> Tree<PanelKind> {
    let mut tiles = Tiles::default();
    let group = |tiles: &mut Tiles<PanelKind>, kinds: &[PanelKind]| {
        let panes = kinds.iter().map(|kind| tiles.insert_pane(*kind)).collect();
        tiles.insert_tab_tile(panes)
    };
    let [setup, forgetting, memory] = GROUPS.map(|kinds| group(&mut tiles, kinds));
    let split = |tiles: &mut Tiles<PanelKind>, dir, children: &[TileId], shares: &[f32]| {
        let mut linear = Linear::new(dir, children.to_vec());
        for (child, share) in children.iter().zip(shares) {
            linear.shares.set_share(*child, *share);
        }
        tiles.insert_container(Container::Linear(linear))
    };
    let seen = split(&mut tiles, LinearDir::Vertical, &[forgetting, memory], &[0.66, 0.34]);
    let root = split(&mut tiles, LinearDir::Horizontal, &[setup, seen], &[0.36, 0.64]);
    let mut tree = Tree::new(Id::unique("panels"), root, tiles);
    // The model and the tasks are there from the start; what people look at first is the training.
    tree.make_active(|_, tile| matches!(tile, Tile::Pane(PanelKind::Training)));
    tree
}

/// A layout from elsewhere is used only if every tile is reached once and no panel stands twice.
fn is_sound(tree: &Tree<PanelKind>) -> bool {
    let (mut seen, mut kinds) = (Vec::new(), BTreeSet::new());
    let mut waiting: Vec<TileId> = tree.root.into_iter().collect();
    while let Some(id) = waiting.pop() {
        if seen.contains(&id) {
            return false;
        }
        seen.push(id);
        match tree.tiles.get(id) {
            Some(Tile::Pane(kind)) => {
                if !kinds.insert(*kind) {
                    return false;
                }
            }
            Some(Tile::Container(container)) => waiting.extend(container.children().copied()),
            None => return false,
        }
    }
    tree.tiles.len() == seen.len()
}

impl Docking {
    /// The layout that was kept, or the first one.
    #[must_use]
    pub fn new(kept: Option<Tree<PanelKind>>) -> Self {
        Self {
            tree: kept.filter(is_sound).unwrap_or_else(first_layout),
            narrow: false,
            front: PanelKind::Training,
            in_sight: None,
            row_from: None,
        }
    }

    /// One panel and nothing else.
    pub fn show_alone(&mut self, kind: PanelKind) {
        self.front = kind;
        let mut tiles = Tiles::default();
        let pane = tiles.insert_pane(kind);
        let root = tiles.insert_tab_tile(vec![pane]);
        self.tree = Tree::new(Id::unique("panels"), root, tiles);
    }

    /// To be kept.
    #[must_use]
    pub fn tree(&self) -> &Tree<PanelKind> {
        &self.tree
    }

    /// Back to the first layout.
    pub fn reset(&mut self) {
        self.tree = first_layout();
    }

    /// Is there a tab for it?
    #[must_use]
    pub fn is_open(&self, kind: PanelKind) -> bool {
        self.tree.tiles.find_pane(&kind).is_some()
    }

    /// The panels that are in sight.
    #[must_use]
    pub fn visible(&self) -> Vec<PanelKind> {
        if self.narrow {
            return vec![self.front];
        }
        self.tree.active_tiles().iter().filter_map(|id| self.tree.tiles.get_pane(id).copied()).collect()
    }

    /// Opens a panel or brings it to the front.
    pub fn show(&mut self, kind: PanelKind) {
        if !self.is_open(kind) {
            self.insert(kind);
        }
        self.front = kind;
        self.tree.make_active(|_, tile| matches!(tile, Tile::Pane(pane) if *pane == kind));
    }

    /// Takes its tab away.
    pub fn close(&mut self, kind: PanelKind) {
        if let Some(id) = self.tree.tiles.find_pane(&kind) {
            self.tree.remove_recursively(id);
        }
    }

    fn insert(&mut self, kind: PanelKind) {
        let tiles = &self.tree.tiles;
        let neighbours = GROUPS.iter().find(|group| group.contains(&kind)).copied().unwrap_or_default();
        let beside =
            neighbours.iter().filter_map(|neighbour| tiles.find_pane(neighbour)).find_map(|id| tiles.parent_of(id));
        let pane = self.tree.tiles.insert_pane(kind);
        match beside.or(self.tree.root).and_then(|id| Some((id, self.tree.tiles.get_mut(id)?))) {
            Some((_, Tile::Container(container))) => container.add_child(pane),
            Some((alone, Tile::Pane(_))) => {
                self.tree.root = Some(self.tree.tiles.insert_horizontal_tile(vec![alone, pane]));
            }
            None => self.tree.root = Some(self.tree.tiles.insert_tab_tile(vec![pane])),
        }
    }

    /// Draws all panels that are in sight.
    pub fn ui(&mut self, ui: &mut Ui, panels: &mut [Box<dyn Panel>], context: &mut Context<'_>) {
        if self.tree.tiles.tiles().next().is_none() || self.tree.root.is_none() {
            ui.centered_and_justified(|ui| {
                ui.label(
                    RichText::new("Every panel is closed. Open one from the Panels menu.").color(context.theme.muted()),
                );
            });
            return;
        }
        self.narrow = ui.available_width() < NARROW;
        if self.narrow {
            self.stack(ui, panels, context);
            return;
        }
        let theme = *context.theme;
        self.tree.ui(&mut Body { panels, context, theme }, ui);
    }
}

impl Docking {
    /// One panel, and a row of all that are open.
    fn stack(&mut self, ui: &mut Ui, panels: &mut [Box<dyn Panel>], context: &mut Context<'_>) {
        let open: Vec<PanelKind> = PanelKind::ALL.into_iter().filter(|kind| self.is_open(*kind)).collect();
        if !open.contains(&self.front) {
            self.front = open.first().copied().unwrap_or(self.front);
        }
        let theme = *context.theme;
        Frame::new().fill(theme.card()).inner_margin(Margin::symmetric(6, 2)).show(ui, |ui| {
            let mut middle = 0.0;
            // A name of its own, or it shares its place with the first list of the panel below.
            let mut tabs =
                ScrollArea::horizontal().id_salt("tabs").scroll_bar_visibility(ScrollBarVisibility::AlwaysHidden);
            if let Some(from) = self.row_from.take() {
                tabs = tabs.horizontal_scroll_offset(from);
            }
            let row = tabs.show(ui, |ui| {
                ui.horizontal(|ui| {
                    for kind in open {
                        let tab = ui.add(
                            Button::selectable(self.front == kind, kind.title()).min_size(vec2(0.0, Theme::TARGET)),
                        );
                        if tab.clicked() {
                            self.front = kind;
                        }
                        if self.front == kind {
                            middle = tab.rect.center().x;
                        }
                    }
                });
            });
            self.row_from = row_goes_on(ui, &theme, &row);
            if self.in_sight.replace(self.front) != Some(self.front) {
                let (width, begin) = (row.inner_rect.width(), row.inner_rect.left() - row.state.clamped_offset().x);
                self.row_from = Some((middle - begin - width / 2.0).clamp(0.0, (row.content_size.x - width).max(0.0)));
                ui.ctx().request_repaint();
            }
        });
        draw_panel(ui, &theme, self.front, panels, context);
    }
}

/// A button at each end where tabs are out of sight: a finger finds out that a row can be drawn along, an eye does not. Gives
/// where the row is to begin from now on, if one was pressed.
fn row_goes_on(ui: &Ui, theme: &Theme, row: &ScrollAreaOutput<()>) -> Option<f32> {
    let from = row.state.clamped_offset().x;
    let mut pressed = None;
    for (left, hidden) in [(true, from), (false, row.content_size.x - row.inner_rect.width() - from)] {
        if hidden < 1.0 {
            continue;
        }
        let align = if left { Align2::LEFT_CENTER } else { Align2::RIGHT_CENTER };
        let tabs = row.inner_rect.with_max_y(row.inner_rect.top() + row.content_size.y);
        let area = align.align_size_within_rect(vec2(Theme::TARGET, tabs.height()), tabs);
        let name = if left { "Panels further left" } else { "Panels further right" };
        let button = ui.interact(area, row.id.with(name), Sense::click());
        button.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
        let lit = button.hovered() || button.has_focus();
        ui.painter().rect_filled(area, 0.0, theme.card());
        let (tip, stroke) =
            (if left { -3.0 } else { 3.0 }, Stroke::new(1.5, if lit { theme.text() } else { theme.muted() }));
        let point = |x: f32, y: f32| area.center() + vec2(x, y);
        ui.painter().line(vec![point(-tip, -6.0), point(tip, 0.0), point(-tip, 6.0)], stroke);
        if button.clicked() {
            let step = hidden.min(row.inner_rect.width() * 0.7);
            pressed = Some(if left { from - step } else { from + step });
        }
    }
    pressed
}

fn draw_panel(ui: &mut Ui, theme: &Theme, kind: PanelKind, panels: &mut [Box<dyn Panel>], context: &mut Context<'_>) {
    let frame = Frame::new().fill(theme.ground()).inner_margin(Margin::same(8));
    frame.show(ui, |ui| {
        ui.set_min_size(ui.available_size());
        match panels.iter_mut().find(|panel| panel.kind() == kind) {
            Some(panel) => panel.show(ui, context),
            None => {
                ui.label("This build has no such panel. Close its tab.");
            }
        }
    });
}

/// How the tree is drawn.
struct Body<'a, 'c> {
    panels: &'a mut [Box<dyn Panel>],
    context: &'a mut Context<'c>,
    theme: Theme,
}

impl Behavior<PanelKind> for Body<'_, '_> {
    fn pane_ui(&mut self, ui: &mut Ui, _: TileId, kind: &mut PanelKind) -> UiResponse {
        draw_panel(ui, &self.theme, *kind, self.panels, self.context);
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, kind: &PanelKind) -> WidgetText {
        kind.title().into()
    }

    fn is_tab_closable(&self, _: &Tiles<PanelKind>, _: TileId) -> bool {
        true
    }

    fn tab_ui(
        &mut self,
        tiles: &mut Tiles<PanelKind>,
        ui: &mut Ui,
        id: Id,
        tile: TileId,
        state: &TabState,
    ) -> egui::Response {
        let title = self.tab_title_for_tile(tiles, tile).text().to_string();
        let tab = tabs::tab(ui, &self.theme, id, &title, state);
        if tab.close && self.on_tab_close(tiles, tile) {
            tiles.remove(tile);
        }
        self.on_tab_button(tiles, tile, tab.response)
    }

    fn tab_bar_height(&self, _: &egui::Style) -> f32 {
        28.0
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        4.0
    }

    fn min_size(&self) -> f32 {
        80.0
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> egui::Color32 {
        visuals.faint_bg_color
    }

    fn tab_bar_hline_stroke(&self, _: &Visuals) -> Stroke {
        Stroke::new(1.0, self.theme.line())
    }

    fn resize_stroke(&self, _: &egui::Style, state: ResizeState) -> Stroke {
        match state {
            ResizeState::Idle => Stroke::new(1.0, self.theme.line()),
            ResizeState::Hovering => Stroke::new(2.0, self.theme.muted()),
            ResizeState::Dragging => Stroke::new(2.0, self.theme.accent()),
        }
    }

    fn simplification_options(&self) -> SimplificationOptions {
        // Every panel keeps its tab: that is where its name and its close button are.
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_layout_has_every_panel_once_and_shows_the_main_ones() {
        let docking = Docking::new(None);
        assert!(is_sound(docking.tree()));
        assert!(PanelKind::ALL.iter().all(|kind| docking.is_open(*kind)));
        let visible = docking.visible();
        for kind in [PanelKind::Training, PanelKind::Forgetting, PanelKind::Buffer] {
            assert!(visible.contains(&kind), "{kind:?}");
        }
        assert!(!visible.contains(&PanelKind::Log));
    }

    #[test]
    fn a_closed_panel_comes_back_beside_its_neighbours() {
        let mut docking = Docking::new(None);
        let home = |docking: &Docking, kind| {
            docking.tree.tiles.find_pane(&kind).and_then(|id| docking.tree.tiles.parent_of(id))
        };
        docking.show(PanelKind::Log);
        assert!(docking.visible().contains(&PanelKind::Log) && !docking.visible().contains(&PanelKind::Buffer));
        docking.close(PanelKind::Log);
        assert!(!docking.is_open(PanelKind::Log));
        docking.show(PanelKind::Log);
        assert_eq!(home(&docking, PanelKind::Log), home(&docking, PanelKind::Runs));
        assert!(docking.visible().contains(&PanelKind::Log) && is_sound(docking.tree()));
    }

    #[test]
    fn panels_come_back_even_when_all_were_closed() {
        let mut docking = Docking::new(None);
        for kind in PanelKind::ALL {
            docking.close(kind);
        }
        assert!(docking.visible().is_empty());
        docking.show(PanelKind::Paths);
        assert!(docking.visible().contains(&PanelKind::Paths));
    }

    #[test]
    fn a_narrow_window_shows_one_panel_and_keeps_the_tree_for_a_wider_one() {
        let mut docking = Docking::new(None);
        let before = docking.visible();
        docking.narrow = true;
        assert_eq!(docking.visible(), [PanelKind::Training]);
        docking.show(PanelKind::Buffer);
        assert_eq!(docking.visible(), [PanelKind::Buffer]);
        docking.narrow = false;
        assert_eq!(docking.visible(), before);
        assert!(is_sound(docking.tree()));
    }

    #[test]
    fn a_layout_with_a_panel_twice_or_a_lost_tile_is_not_used() {
        let mut twice = first_layout();
        let extra = twice.tiles.insert_pane(PanelKind::Log);
        let root = twice.root.unwrap();
        if let Some(Tile::Container(container)) = twice.tiles.get_mut(root) {
            container.add_child(extra);
        }
        assert!(!is_sound(&twice));
        let mut lost = first_layout();
        let gone = lost.tiles.find_pane(&PanelKind::Log).unwrap();
        lost.tiles.remove(gone);
        assert!(!is_sound(&lost));
        assert_eq!(*Docking::new(Some(lost)).tree(), first_layout());
    }
}
