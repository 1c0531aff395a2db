using System.Globalization;
using System.Text.Json.Nodes;

namespace Godwit.Api.Machinery.Patches;

/// <summary>JSON patch: a list of operations, all or none. Source: RFC 6902, with pointers of RFC 6901.</summary>
public static class JsonPatch
{
    /// <summary>The patched object; <paramref name="target"/> is not changed.</summary>
    /// <exception cref="PatchException">The patch is malformed, does not fit or asks for too much.</exception>
    public static JsonObject Apply(JsonObject target, JsonArray operations)
    {
        if (operations.Count > PatchLimits.OperationsMax)
        {
            throw new PatchException($"the patch has {operations.Count} operations: at most {PatchLimits.OperationsMax} are allowed");
        }

        var document = new Document(target.DeepClone());
        for (var index = 0; index < operations.Count; index++)
        {
            try
            {
                document.Apply(operations[index] as JsonObject ?? throw new PatchException("it must be an object"));
            }
            catch (PatchException error)
            {
                throw new PatchException(string.Create(CultureInfo.InvariantCulture, $"operation {index} of the JSON patch cannot be applied: {error.Message}"), error.IsMalformed);
            }
        }

        return document.Root as JsonObject ?? throw new PatchException("the patch leaves no object", isMalformed: false);
    }

    private sealed class Document(JsonNode root)
    {
        private int copiedCharacters;

        public JsonNode? Root { get; private set; } = root;

        public void Apply(JsonObject operation)
        {
            var path = Pointer(operation, "path");
            switch (JsonAccess.AsText(operation["op"]))
            {
                case "add":
                    Add(path, Value(operation));
                    break;
                case "remove":
                    Remove(path);
                    break;
                case "replace":
                    Replace(path, Value(operation));
                    break;
                case "move":
                    Move(Pointer(operation, "from"), path);
                    break;
                case "copy":
                    Add(path, Copy(Pointer(operation, "from")));
                    break;
                case "test":
                    Test(path, Value(operation));
                    break;
                default:
                    throw new PatchException($"op {JsonAccess.Show(operation["op"])} is not one of add, remove, replace, move, copy, test");
            }
        }

        private static JsonNode? Value(JsonObject operation) =>
            operation.ContainsKey("value") ? operation["value"]?.DeepClone() : throw new PatchException("it has no value");

        private static string[] Pointer(JsonObject operation, string name)
        {
            var text = JsonAccess.AsText(operation[name]) ?? throw new PatchException($"{name} must be a JSON pointer");
            if (text.Length == 0)
            {
                return [];
            }

            return text[0] != '/'
                ? throw new PatchException($"{name} \"{text}\" must begin with '/'")
                : [.. text[1..].Split('/').Select(step => step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];
        }

        private void Add(string[] path, JsonNode? value)
        {
            CheckDepth(path, value);
            if (path.Length == 0)
            {
                Root = value;
                return;
            }

            switch (Find(path[..^1]))
            {
                case JsonObject parent:
                    parent[path[^1]] = value;
                    break;
                case JsonArray list when path[^1] == "-":
                    list.Add(value);
                    break;
                case JsonArray list:
                    list.Insert(Index(path[^1], path, list.Count), value);
                    break;
                default:
                    throw Missing(path);
            }
        }

        private void Remove(string[] path)
        {
            switch (path.Length == 0 ? null : Find(path[..^1]))
            {
                case JsonObject parent when parent.Remove(path[^1]):
                    break;
                case JsonArray list:
                    list.RemoveAt(Index(path[^1], path, list.Count - 1));
                    break;
                default:
                    throw Missing(path);
            }
        }

        private void Replace(string[] path, JsonNode? value)
        {
            CheckDepth(path, value);
            if (path.Length == 0)
            {
                Root = value;
                return;
            }

            switch (Find(path[..^1]))
            {
                case JsonObject parent when parent.ContainsKey(path[^1]):
                    parent[path[^1]] = value;
                    break;
                case JsonArray list:
                    list[Index(path[^1], path, list.Count - 1)] = value;
                    break;
                default:
                    throw Missing(path);
            }
        }

        private void Move(string[] from, string[] path)
        {
            if (path.Length > from.Length && path.AsSpan(0, from.Length).SequenceEqual(from))
            {
                throw new PatchException("a value cannot be moved into itself");
            }

            var value = Find(from)?.DeepClone();
            Remove(from);
            Add(path, value);
        }

        private JsonNode? Copy(string[] from)
        {
            var value = Find(from)?.DeepClone();
            copiedCharacters += value?.ToJsonString().Length ?? 0;
            return copiedCharacters <= PatchLimits.CopiedCharactersMax
                ? value
                : throw new PatchException($"the patch copies more than {PatchLimits.CopiedCharactersMax} characters");
        }

        private void Test(string[] path, JsonNode? expected)
        {
            if (!JsonNode.DeepEquals(Find(path), expected))
            {
                throw new PatchException($"the value at {Text(path)} is not {JsonAccess.Show(expected)}", isMalformed: false);
            }
        }

        /// <summary>What is there; null may be a JSON null, but a step that is not there is an error.</summary>
        private JsonNode? Find(string[] path)
        {
            var node = Root;
            foreach (var step in path)
            {
                node = node switch
                {
                    JsonObject parent when parent.TryGetPropertyValue(step, out var inner) => inner,
                    JsonArray list => list[Index(step, path, list.Count - 1)],
                    _ => throw Missing(path),
                };
            }

            return node;
        }

        private static int Index(string text, string[] path, int max)
        {
            var wellFormed = text.Length > 0 && text.All(char.IsAsciiDigit) && (text.Length == 1 || text[0] != '0');
            return wellFormed && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index <= max
                ? index
                : throw new PatchException($"\"{text}\" in {Text(path)} is no index of that list", isMalformed: false);
        }

        private static void CheckDepth(string[] path, JsonNode? value)
        {
            if (path.Length + Depth(value) > PatchLimits.DepthMax)
            {
                throw new PatchException($"the patched object would nest deeper than {PatchLimits.DepthMax}");
            }
        }

        private static int Depth(JsonNode? value) => value switch
        {
            JsonObject inner => 1 + inner.Select(field => Depth(field.Value)).DefaultIfEmpty().Max(),
            JsonArray list => 1 + list.Select(Depth).DefaultIfEmpty().Max(),
            _ => 0,
        };

        private static PatchException Missing(string[] path) => new($"there is nothing at {Text(path)}", isMalformed: false);

        private static string Text(string[] path) => path.Length == 0 ? "the root" : "/" + string.Join('/', path);
    }
}
