// A height field as a lit surface with level lines, and that picture as an image in the window.
//
// vs_surface, fs_surface: triangles over a grid. Each corner brings its place in the scene, the normal there, its colour as a
// share of the palette (0 its first colour, 1 its last) and the value that the level lines are drawn of. A level line is where
// the interpolated value comes within half a line's width, in pixels, of one of the levels. Light is diffuse, from one
// direction, with an ambient share. Colours are in the encoding of the palette, alpha is 1.
//   binding 0: View. Vertex buffer: 8 floats a corner (place 3, normal 3, shade 1, value 1).
//
// vs_picture, fs_picture, fs_picture_linear: one triangle that covers the viewport and shows part of a texture; the last one
// for targets that encode sRGB themselves.
//   binding 1: Frame. binding 2: the texture. binding 3: its sampler. No vertex buffer.

struct View {
    // Scene to clip space.
    matrix: mat4x4f,
    // Direction to the light; the share of light that comes from everywhere.
    light: vec4f,
    // Nine colours, evenly spaced.
    palette: array<vec4f, 9>,
    // Sixteen values, of which the first `counts.x` are drawn.
    levels: array<vec4f, 4>,
    // Number of levels; half the width of a line in pixels; its opacity; unused.
    counts: vec4f,
}

struct Frame {
    // Upper left and lower right corner of what is shown of the texture, as shares of it.
    part: vec4f,
}

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> frame: Frame;
@group(0) @binding(2) var picture: texture_2d<f32>;
@group(0) @binding(3) var picture_sampler: sampler;

struct Corner {
    @location(0) place: vec3f,
    @location(1) normal: vec3f,
    @location(2) shade: f32,
    @location(3) value: f32,
}

struct Passed {
    @builtin(position) position: vec4f,
    @location(0) normal: vec3f,
    @location(1) shade: f32,
    @location(2) value: f32,
}

@vertex
fn vs_surface(corner: Corner) -> Passed {
    return Passed(view.matrix * vec4f(corner.place, 1.0), corner.normal, corner.shade, corner.value);
}

@fragment
fn fs_surface(passed: Passed) -> @location(0) vec4f {
    // How much the value changes from one pixel to the next.
    let slope = max(fwidth(passed.value), 1e-12);
    let place = clamp(passed.shade, 0.0, 1.0) * 8.0;
    let low = min(u32(place), 7u);
    let ground = mix(view.palette[low].rgb, view.palette[low + 1u].rgb, place - f32(low));
    let diffuse = max(dot(normalize(passed.normal), view.light.xyz), 0.0);
    let lit = ground * (view.light.w + (1.0 - view.light.w) * diffuse);
    var line = 0.0;
    for (var index = 0u; index < u32(view.counts.x); index += 1u) {
        let pixels = abs(passed.value - view.levels[index / 4u][index % 4u]) / slope;
        line = max(line, 1.0 - smoothstep(view.counts.y - 0.5, view.counts.y + 0.5, pixels));
    }
    // Dark lines on bright ground, bright ones on dark.
    let ink = vec3f(select(1.0, 0.0, passed.shade > 0.55));
    return vec4f(mix(lit, ink, line * view.counts.z), 1.0);
}

struct Shown {
    @builtin(position) position: vec4f,
    @location(0) place: vec2f,
}

@vertex
fn vs_picture(@builtin(vertex_index) index: u32) -> Shown {
    // (0, 0), (2, 0), (0, 2): the square from 0 to 1 lies inside.
    let corner = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    let position = vec4f(corner.x * 2.0 - 1.0, 1.0 - corner.y * 2.0, 0.0, 1.0);
    return Shown(position, mix(frame.part.xy, frame.part.zw, corner));
}

@fragment
fn fs_picture(shown: Shown) -> @location(0) vec4f {
    return textureSample(picture, picture_sampler, shown.place);
}

@fragment
fn fs_picture_linear(shown: Shown) -> @location(0) vec4f {
    let encoded = textureSample(picture, picture_sampler, shown.place);
    let low = encoded.rgb / 12.92;
    let high = pow((encoded.rgb + 0.055) / 1.055, vec3f(2.4));
    return vec4f(select(high, low, encoded.rgb <= vec3f(0.04045)), encoded.a);
}
