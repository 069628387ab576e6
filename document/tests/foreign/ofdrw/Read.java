import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.ofdrw.converter.ImageMaker;
import org.ofdrw.reader.ContentExtractor;
import org.ofdrw.reader.OFDReader;

/**
 * What ofdrw, an OFD library of other makers, finds in documents of ours. `Read FOLDER`: of each NAME.ofd the attachments must be NAME.tally
 * and NAME.xml byte for byte, the text must have what NAME.txt lists line by line, and its pages are drawn to NAME-ofdrw-N.png. Ends with an
 * error where something does not hold.
 */
public class Read {
    /** Pixels of a millimetre: a module of the code has three. */
    private static final double PIXELS = 8;

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        List<Path> documents;
        try (var files = Files.list(folder)) {
            documents = files.filter(file -> file.toString().endsWith(".ofd")).sorted().toList();
        }
        require(!documents.isEmpty(), "no OFD in " + folder);
        for (Path document : documents) {
            String name = document.getFileName().toString().replace(".ofd", "");
            try (OFDReader reader = new OFDReader(document)) {
                same(reader, "bundle.tally", folder.resolve(name + ".tally"));
                same(reader, "einvoice.xml", folder.resolve(name + ".xml"));
                String text = String.join("\n", new ContentExtractor(reader).extractAll());
                for (String wanted : Files.readAllLines(folder.resolve(name + ".txt"))) {
                    require(text.contains(wanted), name + ": " + wanted + " is not in its text");
                }
                ImageMaker pictures = new ImageMaker(reader, PIXELS);
                pictures.config.setDrawBoundary(false);
                for (int page = 0; page < Math.min(2, pictures.pageSize()); page++) {
                    BufferedImage picture = pictures.makePage(page);
                    ImageIO.write(picture, "png", folder.resolve(name + "-ofdrw-" + (page + 1) + ".png").toFile());
                }
                System.out.println(name + ": " + reader.getNumberOfPages() + " pages, text and attachments hold");
            }
        }
    }

    private static void same(OFDReader reader, String attachment, Path expected) throws Exception {
        Path found = reader.getAttachmentFile(attachment);
        require(found != null, attachment + " is not found");
        require(Arrays.equals(Files.readAllBytes(found), Files.readAllBytes(expected)), attachment + " is another");
    }

    private static void require(boolean holds, String problem) {
        if (!holds) {
            throw new IllegalStateException(problem);
        }
    }
}
