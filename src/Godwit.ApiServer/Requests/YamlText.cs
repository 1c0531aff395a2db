using System.Buffers;
using System.Text;
using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Godwit.ApiServer.Requests;

/// <summary>JSON written as block YAML.</summary>
internal static class YamlText
{
    public static void Write(ReadOnlySpan<byte> json, IBufferWriter<byte> output)
    {
        var text = new StringWriter { NewLine = "\n" };
        var emitter = new Emitter(text);
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            emitter.Emit(EventOf(ref reader));
        }

        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        output.Write(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private static ParsingEvent EventOf(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartObject => new MappingStart(AnchorName.Empty, TagName.Empty, isImplicit: true, MappingStyle.Block),
        JsonTokenType.EndObject => new MappingEnd(),
        JsonTokenType.StartArray => new SequenceStart(AnchorName.Empty, TagName.Empty, isImplicit: true, SequenceStyle.Block),
        JsonTokenType.EndArray => new SequenceEnd(),
        JsonTokenType.String or JsonTokenType.PropertyName => TextOf(reader.GetString()!),
        _ => new Scalar(AnchorName.Empty, TagName.Empty, Encoding.UTF8.GetString(reader.ValueSpan), ScalarStyle.Plain, isPlainImplicit: true, isQuotedImplicit: false),
    };

    /// <summary>Text is quoted unless it is plainly a word, so that no reader takes it for a number, a boolean or a null.</summary>
    private static Scalar TextOf(string text)
    {
        var style = IsPlainWord(text) ? ScalarStyle.Plain : text.Contains('\n', StringComparison.Ordinal) ? ScalarStyle.Literal : ScalarStyle.DoubleQuoted;
        return new Scalar(AnchorName.Empty, TagName.Empty, text, style, isPlainImplicit: style == ScalarStyle.Plain, isQuotedImplicit: style != ScalarStyle.Plain);
    }

    private static bool IsPlainWord(string text) =>
        text.Length > 0 && char.IsAsciiLetter(text[0]) && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '/' or '.')
        && text.ToLowerInvariant() is not ("true" or "false" or "null" or "yes" or "no" or "on" or "off" or "y" or "n");
}
