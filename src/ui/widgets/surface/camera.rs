//! Where the eye is, and how a place in the scene becomes a place in the picture: the same matrix on the CPU and in the shader.
//!
//! The scene: x to the right, y up, z towards whoever looks at it from the front. Clip space as WebGPU has it: x and y from -1
//! to 1, y up, depth from 0 (near) to 1 (far).

use std::f32::consts::{PI, TAU};

/// A place or direction in the scene.
pub type Point = [f32; 3];
/// Four columns.
pub type Matrix = [[f32; 4]; 4];

/// Opening of the view from bottom to top, in radians.
const FIELD_OF_VIEW: f32 = 0.6;
/// Clipping planes.
const NEAR: f32 = 0.05;
const FAR: f32 = 20.0;
/// What the eye looks at: the middle of the scene, a little above its floor.
const TARGET: Point = [0.0, 0.26, 0.0];

fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Point, b: Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The direction of a vector; upwards for one without length.
#[must_use]
pub fn normalised(vector: Point) -> Point {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 { vector.map(|part| part / length) } else { [0.0, 1.0, 0.0] }
}

/// `a` after `b`.
#[must_use]
pub fn multiply(a: &Matrix, b: &Matrix) -> Matrix {
    b.map(|column| apply(a, column))
}

/// A matrix times a vector.
#[must_use]
pub fn apply(matrix: &Matrix, vector: [f32; 4]) -> [f32; 4] {
    let row = |row: usize| (0..4).map(|column| matrix[column][row] * vector[column]).sum();
    [row(0), row(1), row(2), row(3)]
}

/// Scene to eye: the eye at the origin, looking along -z, `up` upwards. Right-handed.
#[must_use]
pub fn look_at(eye: Point, target: Point, up: Point) -> Matrix {
    let back = normalised(minus(eye, target));
    let right = normalised(cross(up, back));
    let above = cross(back, right);
    [
        [right[0], above[0], back[0], 0.0],
        [right[1], above[1], back[1], 0.0],
        [right[2], above[2], back[2], 0.0],
        [-dot(right, eye), -dot(above, eye), -dot(back, eye), 1.0],
    ]
}

/// Eye to clip space: `opening` radians from bottom to top, `aspect` is width by height.
#[must_use]
pub fn perspective(opening: f32, aspect: f32, near: f32, far: f32) -> Matrix {
    let scale = 1.0 / (opening / 2.0).tan();
    let depth = far / (near - far);
    [[scale / aspect, 0.0, 0.0, 0.0], [0.0, scale, 0.0, 0.0], [0.0, 0.0, depth, -1.0], [0.0, 0.0, near * depth, 0.0]]
}

/// Place in the picture as shares of its width and height from the upper left corner, and depth; `None` behind the eye.
#[must_use]
pub fn project(matrix: &Matrix, point: Point) -> Option<Point> {
    let [x, y, z, w] = apply(matrix, [point[0], point[1], point[2], 1.0]);
    (w > 0.0).then(|| [0.5 + 0.5 * x / w, 0.5 - 0.5 * y / w, z / w])
}

/// An eye on a sphere around the scene.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Radians around the vertical; 0 looks from the front.
    pub yaw: f32,
    /// Radians above the horizon.
    pub pitch: f32,
    pub distance: f32,
}

impl Default for Camera {
    fn default() -> Self {
        Self { yaw: 0.55, pitch: 0.62, distance: 3.6 }
    }
}

impl Camera {
    /// The surface is seen from above always, so that it never shows its back.
    const PITCHES: [f32; 2] = [0.08, 1.54];
    const DISTANCES: [f32; 2] = [1.4, 9.0];

    /// Turns by so many radians.
    pub fn turn(&mut self, yaw: f32, pitch: f32) {
        self.yaw = (self.yaw + yaw + PI).rem_euclid(TAU) - PI;
        self.pitch = (self.pitch + pitch).clamp(Self::PITCHES[0], Self::PITCHES[1]);
    }

    /// Comes so many times closer.
    pub fn approach(&mut self, factor: f32) {
        if factor.is_finite() && factor > 0.0 {
            self.distance = (self.distance / factor).clamp(Self::DISTANCES[0], Self::DISTANCES[1]);
        }
    }

    /// Where the eye is.
    #[must_use]
    pub fn eye(&self) -> Point {
        let ((up, flat), (right, front)) = (self.pitch.sin_cos(), self.yaw.sin_cos());
        let direction = [flat * right, up, flat * front];
        [0, 1, 2].map(|axis| TARGET[axis] + self.distance * direction[axis])
    }

    /// Scene to clip space, for a picture so many times wider than high.
    #[must_use]
    pub fn matrix(&self, aspect: f32) -> Matrix {
        // A narrow picture is seen from farther away, so that the scene fits its width.
        let opening =
            if aspect < 1.4 { 2.0 * ((FIELD_OF_VIEW / 2.0).tan() * 1.4 / aspect).atan() } else { FIELD_OF_VIEW };
        multiply(&perspective(opening, aspect, NEAR, FAR), &look_at(self.eye(), TARGET, [0.0, 1.0, 0.0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
    }

    #[test]
    fn looking_moves_the_eye_to_the_origin_and_the_target_ahead() {
        let view = look_at([1.0, 2.0, 3.0], [1.0, 2.0, -1.0], [0.0, 1.0, 0.0]);
        assert!(close(&apply(&view, [1.0, 2.0, 3.0, 1.0]), &[0.0, 0.0, 0.0, 1.0]));
        assert!(close(&apply(&view, [1.0, 2.0, -1.0, 1.0]), &[0.0, 0.0, -4.0, 1.0]));
        assert!(close(&apply(&view, [2.0, 2.0, -1.0, 1.0]), &[1.0, 0.0, -4.0, 1.0]), "right stays right");
        let side = look_at([5.0, 0.0, 0.0], [0.0; 3], [0.0, 1.0, 0.0]);
        assert!(close(&apply(&side, [0.0, 0.0, -1.0, 1.0]), &[1.0, 0.0, -5.0, 1.0]), "from +x, -z lies to the right");
    }

    #[test]
    fn perspective_maps_the_edges_of_the_view_to_those_of_clip_space() {
        let quarter = perspective(PI / 2.0, 2.0, 1.0, 9.0);
        let at = |point: [f32; 3]| {
            let [x, y, z, w] = apply(&quarter, [point[0], point[1], point[2], 1.0]);
            [x / w, y / w, z / w]
        };
        assert!(close(&at([0.0, 3.0, -3.0]), &[0.0, 1.0, 0.75]), "{:?}", at([0.0, 3.0, -3.0]));
        assert!(close(&at([-6.0, 0.0, -3.0])[..2], &[-1.0, 0.0]));
        assert!(close(&[at([0.0, 0.0, -1.0])[2], at([0.0, 0.0, -9.0])[2]], &[0.0, 1.0]), "near 0, far 1");
    }

    #[test]
    fn what_is_looked_at_stands_in_the_middle_and_nothing_behind_the_eye_is_seen() {
        let mut camera = Camera::default();
        for _ in 0..7 {
            camera.turn(1.3, 0.21);
            camera.approach(1.1);
            let matrix = camera.matrix(1.6);
            let middle = project(&matrix, TARGET).unwrap();
            assert!(close(&middle[..2], &[0.5, 0.5]), "{middle:?}");
            let eye = camera.eye();
            let behind = [0, 1, 2].map(|axis| eye[axis] + (eye[axis] - TARGET[axis]));
            assert_eq!(project(&matrix, behind), None);
            assert!(project(&matrix, [0.0, 0.6, 0.0]).unwrap()[1] < 0.5, "up is up");
        }
        let front = Camera { yaw: 0.0, pitch: 0.4, distance: 4.0 };
        assert!(project(&front.matrix(1.0), [0.5, 0.0, 0.0]).unwrap()[0] > 0.5, "x is to the right from the front");
        let (near, far) = (project(&front.matrix(1.0), [0.0, 0.0, 1.0]), project(&front.matrix(1.0), [0.0, 0.0, -1.0]));
        assert!(near.unwrap()[2] < far.unwrap()[2], "what is nearer has less depth");
    }

    #[test]
    fn turning_and_zooming_stay_within_bounds() {
        let mut camera = Camera::default();
        camera.turn(100.0, 100.0);
        assert!(camera.yaw.abs() <= PI && camera.pitch == Camera::PITCHES[1]);
        camera.turn(0.0, -100.0);
        assert_eq!(camera.pitch, Camera::PITCHES[0]);
        for factor in [1e9, 1e-9, f32::NAN, 0.0, -3.0] {
            camera.approach(factor);
            assert!((Camera::DISTANCES[0]..=Camera::DISTANCES[1]).contains(&camera.distance));
        }
    }
}
